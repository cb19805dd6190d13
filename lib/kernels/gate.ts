/** Kernels of the gate. @module */
import type { Kernel, View } from "../types.ts";
import { NONE } from "./linear.ts";

/** Softmax of each row of [rows, columns]. */
export const softmax = (rows: number, columns: number, x: View, y: View): Kernel => ({
  name: "softmax",
  args: [rows, columns, x, y],
});

/** Sizes of a top-k choice. */
export interface Choice {
  /** Tokens of the rank, rows of the scores. */
  readonly tokens: number;
  /** Columns of the scores. */
  readonly experts: number;
  /** Choices of a token. */
  readonly topK: number;
}

/**
 * Best k experts of each token and their weights, divided by their sum when `normalize` and k > 1. Among equal
 * scores the larger logit, where logits are given, then the lower expert.
 */
export function chooseTopK(
  { tokens, experts, topK }: Choice,
  { normalize, logits = NONE, scores, choices, weights }: {
    normalize: boolean;
    logits?: View;
    scores: View;
    choices: View;
    weights: View;
  },
): Kernel {
  return {
    name: "top_k",
    args: [tokens, experts, topK, Number(normalize), logits, scores, choices, weights],
  };
}

/** Place of each choice in its expert, and the load of each expert. */
export function positions(
  { tokens, experts, topK }: Choice,
  views: { prioritized: boolean; scores: View; choices: View; positions: View; loads: View },
): Kernel {
  const { prioritized, scores, choices, positions, loads } = views;
  return {
    name: "positions",
    args: [tokens, experts, topK, Number(prioritized), scores, choices, positions, loads],
  };
}

/** GShard's auxiliary loss: experts * sum_e mean(score) * mean(first choice is e). */
export function auxLoss(
  { tokens, experts, topK }: Choice,
  { scores, choices, loss }: Record<"scores" | "choices" | "loss", View>,
): Kernel {
  return { name: "aux_loss", args: [tokens, experts, topK, scores, choices, loss] };
}

/** Gradient of the logits from that of the weights and the auxiliary loss. */
export function gateGrad(
  { tokens, experts, topK }: Choice,
  options:
    & { normalize: boolean; auxWeight: number }
    & Record<
      "scores" | "choices" | "weights" | "dWeights" | "dLogits",
      View
    >,
): Kernel {
  const { normalize, auxWeight, scores, choices, weights, dWeights, dLogits } = options;
  return {
    name: "gate_grad",
    args: [
      tokens,
      experts,
      topK,
      Number(normalize),
      scores,
      choices,
      weights,
      dWeights,
      dLogits,
      auxWeight,
    ],
  };
}

/** Largest of the loads of a rank, int32 [1]. */
export const maxLoad = (experts: number, loads: View, out: View): Kernel => ({
  name: "max_load",
  args: [experts, loads, out],
});
