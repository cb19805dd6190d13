/** The interface of routers in JavaScript. @module */
import type { GateScores } from "../../kernels/types.ts";
import type { Logits } from "./routed.ts";
import type { GateUpdate } from "./types.ts";

/** Sizes and arrays of a rank that a router in JavaScript sees. */
export interface RouterInput {
  /** Rank whose tokens are routed. */
  readonly rank: number;
  /** Tokens of the rank. */
  readonly tokens: number;
  /** Routed experts. */
  readonly experts: number;
  /** Places for choices of a token. */
  readonly k: number;
  /** [tokens, experts]. */
  readonly logits: Float32Array;
  /** `gate.selectionBias` [experts], of a router with an update. */
  readonly selectionBias?: Float32Array;
}

/** Its decisions, [tokens, k] each; a choice of -1 goes nowhere. */
export interface RouterChoice {
  /** Expert of each choice, -1 for none, [tokens, k]; those of a token differ. */
  readonly choices: Int32Array;
  /** Weight of each choice, likewise; finite where there is an expert. */
  readonly weights: Float32Array;
}

/** A router of one's own. */
export interface Router {
  /** What captions and errors call it. */
  readonly name: string;
  /** Most experts of a token. */
  readonly k: number;
  /** Whether a weight multiplies the output of its expert (default) or the input. */
  readonly weighs?: "output" | "input";
  /** How tokens become logits, such as `cosineLogits({ width })` or functions of one's own; default `linearLogits()`. */
  readonly logits?: Logits;
  /**
   * What the losses of the layer take for the scores of the logits; their gradients, to weights and to logits, are added
   * to those that `grad` is given and gives. Default: none, so that losses that need scores are refused.
   */
  readonly scores?: GateScores;
  /** Changes `gate.selectionBias` after each backward pass, such as `signUpdate({ rate: 1e-3 })`; default: there is none. */
  readonly update?: GateUpdate;
  /** From logits to choices and weights. */
  route(input: RouterInput): RouterChoice;
  /** From the gradient of the weights [tokens, k] to that of the logits [tokens, experts]. */
  grad(input: RouterInput & RouterChoice & { readonly dWeights: Float32Array }): Float32Array;
}
