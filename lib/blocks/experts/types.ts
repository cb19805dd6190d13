/** The interface of experts, and the context of their kernels. @module */
import type { Matrix } from "../../kernels/types.ts";
import type { HostFunction, Kernel } from "../../types.ts";
import type { Block } from "../types.ts";

/** Sizes of one expert. */
export interface ExpertShape {
  /** Width of a row. */
  readonly modelDim: number;
  /** Width inside the expert. */
  readonly hiddenDim: number;
}

/** Tensors of an expert for the rows of one chunk, local experts being groups. */
export interface ExpertContext {
  /** Sizes of each expert. */
  readonly shape: ExpertShape;
  /** First local expert, and their number. */
  readonly firstExpert: number;
  /** Local experts of this call. */
  readonly experts: number;
  /** Input and output rows; in backward their gradients are `dx` and `dy`. */
  readonly x: Matrix;
  /** Output rows. */
  readonly y: Matrix;
  /** Gradient of the input rows. */
  readonly dx: Matrix;
  /** Gradient of the output rows. */
  readonly dy: Matrix;
  /** A parameter, its gradient, or an activation saved from forward to backward. */
  parameter(name: string): Matrix;
  /** The gradient of a parameter. */
  gradient(name: string): Matrix;
  /** Rows kept from forward to backward. */
  saved(name: string): Matrix;
  /** True when this is the first chunk: weight gradients start at zero instead of adding up. */
  readonly first: boolean;
  /**
   * Kernel that calls a JavaScript function; its lane waits, other lanes go on. `readRows` and `writeRows` of
   * `@schemoe/lab/kernels` give it the rows of each expert, whatever their layout and type.
   */
  host(run: HostFunction): Kernel;
}

/** The feed-forward network of one expert, written with kernels. */
export interface Expert extends Block<ExpertShape, ExpertContext> {
  /**
   * Whether its kernels need no numbers of the rows of a matrix but their sum, so that these may be counted as a Program
   * runs (`Matrix.counted`): true of the experts of this library, not of copies with other kernels. Default false: a
   * step ends a Program before it.
   */
  readonly counted?: boolean;
  /** Throws when it does not fit a layer; asked before anything else. */
  check?(layer: ExpertShape & { readonly experts: number; readonly dtype?: string }): void;
}
