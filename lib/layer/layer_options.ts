/** Options of the passes of a layer. @module */
import type { GivenLoads } from "../chunking/loads.ts";
import type { RouterTrace } from "../routing/types.ts";
import type { PassChoices } from "./choices.ts";

/** Options of {@linkcode MoeLayer.forward}. */
export interface ForwardOptions extends PassChoices {
  /** Input [ranks, tokens, modelDim]; default: what was given last, at first random numbers. */
  readonly x?: Float32Array;
  /**
   * For a dropless layer on an engine that computes no values: tokens that each rank sends to each
   * expert, a list a rank, or those of a routing (`loadsOf`); default: as equal as can be.
   */
  readonly loads?: GivenLoads;
  /**
   * For `dispatch: "node"` on an engine that computes no values: the experts of each token; default: what the gate
   * says, if it repeats a routing, else experts drawn evenly.
   */
  readonly routing?: RouterTrace;
}

/** Options of {@linkcode MoeLayer.backward}. */
export interface BackwardOptions extends PassChoices {
  /** Gradient of the loss at the output [ranks, tokens, modelDim]; default like `x`. */
  readonly dy?: Float32Array;
}
