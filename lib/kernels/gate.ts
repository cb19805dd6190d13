/** Kernels of the gate. @module */
import { aSize, aView, expect, someSizes, someViews } from "../arguments/mod.ts";
import type { Kernel, View } from "../types.ts";
import { NONE } from "./linear.ts";

const GATE_SIZES = someSizes("tokens", "experts", "topK");
const CHOOSE_TOP_K_VIEWS = someViews("logits?", "scores", "choices", "weights");
const POSITIONS_VIEWS = someViews("scores", "choices", "positions", "loads");
const AUX_LOSS_VIEWS = someViews("scores", "choices", "loss");
const GATE_GRAD_OPTIONS = someViews("scores", "choices", "weights", "dWeights", "dLogits");

/** Softmax of each row of [rows, columns]. */
export function softmax(rows: number, columns: number, x: View, y: View): Kernel {
  expect("softmax", "rows", rows, aSize);
  expect("softmax", "columns", columns, aSize);
  expect("softmax", "x", x, aView);
  expect("softmax", "y", y, aView);
  return {
    name: "softmax",
    args: [rows, columns, x, y],
  };
}

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
export function chooseTopK(sizes: Choice, views: {
  normalize: boolean;
  logits?: View;
  scores: View;
  choices: View;
  weights: View;
}): Kernel {
  expect("chooseTopK", "sizes", sizes, GATE_SIZES);
  expect("chooseTopK", "views", views, CHOOSE_TOP_K_VIEWS);
  const { tokens, experts, topK } = sizes;
  const { normalize, logits = NONE, scores, choices, weights } = views;
  return {
    name: "top_k",
    args: [tokens, experts, topK, Number(normalize), logits, scores, choices, weights],
  };
}

/** Place of each choice in its expert, and the load of each expert. */
export function positions(
  sizes: Choice,
  views: { prioritized: boolean; scores: View; choices: View; positions: View; loads: View },
): Kernel {
  expect("positions", "sizes", sizes, GATE_SIZES);
  expect("positions", "views", views, POSITIONS_VIEWS);
  const { tokens, experts, topK } = sizes;
  const { prioritized, scores, choices, positions, loads } = views;
  return {
    name: "positions",
    args: [tokens, experts, topK, Number(prioritized), scores, choices, positions, loads],
  };
}

/** GShard's auxiliary loss: experts * sum_e mean(score) * mean(first choice is e). */
export function auxLoss(sizes: Choice, views: Record<"scores" | "choices" | "loss", View>): Kernel {
  expect("auxLoss", "sizes", sizes, GATE_SIZES);
  expect("auxLoss", "views", views, AUX_LOSS_VIEWS);
  const { tokens, experts, topK } = sizes;
  const { scores, choices, loss } = views;
  return { name: "aux_loss", args: [tokens, experts, topK, scores, choices, loss] };
}

/** Gradient of the logits from that of the weights and the auxiliary loss. */
export function gateGrad(
  sizes: Choice,
  options:
    & { normalize: boolean; auxWeight: number }
    & Record<
      "scores" | "choices" | "weights" | "dWeights" | "dLogits",
      View
    >,
): Kernel {
  expect("gateGrad", "sizes", sizes, GATE_SIZES);
  expect("gateGrad", "options", options, GATE_GRAD_OPTIONS);
  const { tokens, experts, topK } = sizes;
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
export function maxLoad(experts: number, loads: View, out: View): Kernel {
  expect("maxLoad", "experts", experts, aSize);
  expect("maxLoad", "loads", loads, aView);
  expect("maxLoad", "out", out, aView);
  return {
    name: "max_load",
    args: [experts, loads, out],
  };
}
