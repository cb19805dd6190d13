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

/**
 * How the gradient of the weight w of a choice is found, where y = A w2 + b2 is the output of its expert and dy the
 * gradient of the output of its token. `output`: as dy . y on the rank of the token, which keeps y from forward to
 * backward. `activation`: as dA' . A + dy . b2 with dA' = dy w2^T on the rank of the expert, which keeps A anyway; y is
 * not kept (dS of SonicMoE, arXiv 2512.14080).
 */
export type ScoreGradient = "output" | "activation";

/** An option of experts whose gradients of weights may come from their activations. */
export interface ScoreGradientOption {
  /**
   * `output` (the default), or `activation`: a rank then keeps no outputs of experts from forward to backward, topK x
   * tokens x modelDim values, nor reads them again. In the backward pass rows of dy are sent as they are and their
   * weights apart (4 bytes a row, messages of their own in the same exchange), and gradients of weights come back beside
   * those of the rows, so that the gradient of the gate waits for all chunks. Gradients are those of `output` within
   * rounding; outputs have the same bits. Errors: a combine codec other than `none`, whose outputs are no function of the
   * activation (that of dispatch is free), a gate that weighs inputs, which keeps no outputs either, and a shared expert or
   * the dense one of a model, whose output has no weight of a choice. An expert that does not have this option, such as one
   * of ONNX models, goes by its outputs.
   */
  readonly scoreGradient?: ScoreGradient;
}

/** The weights of choices that rows belong to, float32 [rows, 1]. */
export interface RowScores {
  /** Weight of each row; 0 where nobody takes it. */
  readonly weights: Matrix;
  /** Gradients of these weights, which `inputGrad` writes. */
  readonly dWeights: Matrix;
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
  /**
   * Backward of an expert with `scoreGradient: "activation"`: `dy` are then gradients of the outputs after their weights,
   * so that those of the outputs are `weights` times `dy`.
   */
  readonly scores?: RowScores;
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
  /**
   * `activation`: `inputGrad` is given `scores`, multiplies by the weights and writes their gradients, and outputs are not
   * kept; see {@linkcode ScoreGradientOption}. Default `output`.
   */
  readonly scoreGradient?: ScoreGradient;
  /** Throws when it does not fit a layer; asked before anything else. */
  check?(layer: ExpertShape & { readonly experts: number; readonly dtype?: string }): void;
}
