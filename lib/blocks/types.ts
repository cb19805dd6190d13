/** The interface of blocks, of which experts and other parts of a layer are cases. @module */
import type { Kernel } from "../types.ts";

/** A trained tensor of a block. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Rows that a block keeps: name and columns. */
export interface SavedShape {
  readonly name: string;
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
  readonly name: string;
  /** Trained tensors, each initialised with deviation 1 / sqrt(first dimension). */
  parameters(shape: Shape): readonly ParameterShape[];
  /** Rows kept from one of its kernels to another. */
  saved(shape: Shape): readonly SavedShape[];
  forward(context: Context): readonly Kernel[];
  /** Absent: the block cannot run backward. */
  inputGrad?(context: Context): readonly Kernel[];
  weightGrad?(context: Context): readonly Kernel[];
  /** Floating-point operations for one row. */
  flops(shape: Shape): { forward: number; inputGrad: number; weightGrad: number };
}
