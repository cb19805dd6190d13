/** The interface of blocks, of which experts and other parts of a layer are cases. @module */
import type { Kernel } from "../types.ts";

/** A trained tensor of a block. */
export interface ParameterShape {
  /** Without the prefix of its block, such as `w1`. */
  readonly name: string;
  /** Sizes, the slowest dimension first. */
  readonly shape: readonly number[];
}

/** Rows that a block keeps: name and columns. */
export interface SavedShape {
  /** Name among the rows of its block. */
  readonly name: string;
  /** Values of a row. */
  readonly columns: number;
  /** `saved` (default) from forward to backward; `pass` within one pass, where it may share memory. */
  readonly life?: "saved" | "pass";
}

/**
 * A part of a layer written with kernels: an expert, a gate, a norm, attention, a head with its loss.
 * @typeParam Shape the sizes that it depends on.
 * @typeParam Context its tensors, for the rows that it works on.
 */
export interface Block<Shape, Context> {
  /** What captions and errors call it. */
  readonly name: string;
  /** Trained tensors, each initialised with deviation 1 / sqrt(first dimension). */
  parameters(shape: Shape): readonly ParameterShape[];
  /** Rows kept from one of its kernels to another. */
  saved(shape: Shape): readonly SavedShape[];
  /** Kernels from input rows to output rows. */
  forward(context: Context): readonly Kernel[];
  /** Absent: the block cannot run backward. */
  inputGrad?(context: Context): readonly Kernel[];
  /** Kernels from the gradient of the output to those of the parameters; absent: it has none that are trained. */
  weightGrad?(context: Context): readonly Kernel[];
  /** Floating-point operations for one row. */
  flops(shape: Shape): { forward: number; inputGrad: number; weightGrad: number };
}
