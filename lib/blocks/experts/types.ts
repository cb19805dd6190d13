/** The interface of experts, and the context of their kernels. @module */
import type { Matrix } from "../../kernels/types.ts";
import type { HostFunction, Kernel } from "../../types.ts";
import type { Block } from "../types.ts";

/** Sizes of one expert. */
export interface ExpertShape {
  readonly modelDim: number;
  readonly hiddenDim: number;
}

/** Tensors of an expert for the rows of one chunk, local experts being groups. */
export interface ExpertContext {
  readonly shape: ExpertShape;
  /** First local expert, and their number. */
  readonly firstExpert: number;
  readonly experts: number;
  /** Input and output rows; in backward their gradients are `dx` and `dy`. */
  readonly x: Matrix;
  readonly y: Matrix;
  readonly dx: Matrix;
  readonly dy: Matrix;
  /** A parameter, its gradient, or an activation saved from forward to backward. */
  parameter(name: string): Matrix;
  gradient(name: string): Matrix;
  saved(name: string): Matrix;
  /** True when this is the first chunk: weight gradients start at zero instead of adding up. */
  readonly first: boolean;
  /** Kernel that calls a JavaScript function; its lane waits, other lanes go on. */
  host(run: HostFunction): Kernel;
}

/** The feed-forward network of one expert, written with kernels. */
export interface Expert extends Block<ExpertShape, ExpertContext> {
  /** Throws when it does not fit a layer; asked before anything else. */
  check?(layer: ExpertShape & { readonly experts: number; readonly dtype?: string }): void;
}
