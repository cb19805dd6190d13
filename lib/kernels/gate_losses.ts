/** Kernels of losses on a routing, and of updates that keep experts equally busy. @module */
import {
  aNumber,
  aSize,
  expect,
  record,
  someSizes,
  something,
  someViews,
} from "../arguments/mod.ts";
import type { GateScores } from "./types.ts";
import type { Kernel, View } from "../types.ts";
import { NONE } from "./linear.ts";
import { ROUTE_SHAPE, type RouteShape, scoresCode } from "./route.ts";

const LOGITS_SHAPE = someSizes("tokens", "rows");
const BALANCE_LOSS_OPTIONS = record("{ scores, factor, weight }", {
  scores: something,
  factor: aNumber,
  weight: aNumber,
});
const BALANCE_LOSS_VIEWS = someViews("scores", "counts", "balance", "loss?", "total?", "padding?");
const Z_LOSS_VIEWS = someViews("logits", "loss?", "total?", "padding?");
const IMPORTANCE_LOSS_VIEWS = someViews(
  "choices",
  "weights",
  "importance",
  "loss?",
  "total?",
  "padding?",
);
const LOAD_LOSS_VIEWS = someViews(
  "clean",
  "spread",
  "logits",
  "slopes",
  "loss?",
  "total?",
  "padding?",
);
const SIGN_BIAS_OPTIONS = record("{ rows, rate }", { rows: aSize, rate: aNumber });
const BIAS_VIEWS = someViews("loads", "bias");
const BUDGET_BIAS_OPTIONS = record("{ rows, experts, rate, share }", {
  rows: aSize,
  experts: aSize,
  rate: aNumber,
  share: aNumber,
});
const QUANTILE_SHIFT_OPTIONS = record("{ rows, ranks, ema }", {
  rows: aSize,
  ranks: aSize,
  ema: aNumber,
});
const QUANTILE_SHIFT_VIEWS = someViews("sums", "bias");
const QUANTILE_BIAS_VIEWS = someViews("logits", "bias", "out");

/** Where a loss of a rank goes: its value, and `weight` times it added to the total. */
export interface LossViews {
  /** [1] float32: the value, written. */
  readonly loss: View;
  /** [1] float32: the total, added to. */
  readonly total: View;
  /** [tokens] int32: other than 0 for padding, which is in no sum and no mean. */
  readonly padding?: View;
}

/**
 * `factor` * sum over rows of (mean probability over tokens) * counts; adds its slope in each token's
 * probability to `balance` [rows]. With padding counts are divided by their sum.
 */
export function balanceLoss(
  shape: Omit<RouteShape, "k">,
  options: { readonly scores: GateScores; readonly factor: number; readonly weight: number },
  views: Record<"scores" | "counts" | "balance", View> & LossViews,
): Kernel {
  expect("balanceLoss", "shape", shape, LOGITS_SHAPE);
  expect("balanceLoss", "options", options, BALANCE_LOSS_OPTIONS);
  expect("balanceLoss", "views", views, BALANCE_LOSS_VIEWS);
  const { tokens, rows } = shape;
  return {
    name: "balance_loss",
    args: [
      tokens,
      rows,
      scoresCode(options.scores),
      views.scores,
      views.counts,
      views.balance,
      views.loss,
      views.total,
      options.factor,
      options.weight,
      views.padding ?? NONE,
    ],
  };
}

/** Mean over tokens of (logsumexp over all rows)^2. */
export function zLoss(
  shape: Omit<RouteShape, "k">,
  weight: number,
  views: { readonly logits: View } & LossViews,
): Kernel {
  expect("zLoss", "shape", shape, LOGITS_SHAPE);
  expect("zLoss", "weight", weight, aNumber);
  expect("zLoss", "views", views, Z_LOSS_VIEWS);
  const { tokens, rows } = shape;
  const { logits, loss, total, padding } = views;
  return {
    name: "z_loss",
    args: [tokens, rows, logits, loss, total, weight, padding ?? NONE],
  };
}

/** Squared variation of the sums of weights of each row; adds its slope in each sum to `importance` [rows]. */
export function importanceLoss(
  shape: RouteShape,
  weight: number,
  views: Record<"choices" | "weights" | "importance", View> & LossViews,
): Kernel {
  expect("importanceLoss", "shape", shape, ROUTE_SHAPE);
  expect("importanceLoss", "weight", weight, aNumber);
  expect("importanceLoss", "views", views, IMPORTANCE_LOSS_VIEWS);
  const { tokens, rows, k } = shape;
  return {
    name: "importance_loss",
    args: [
      tokens,
      rows,
      k,
      views.choices,
      views.weights,
      views.importance,
      views.loss,
      views.total,
      weight,
    ],
  };
}

/** Squared variation of the loads that a noisy gate expects; writes its slope in each load to `slopes`. */
export function loadLoss(
  shape: RouteShape,
  weight: number,
  views: Record<"clean" | "spread" | "logits" | "slopes", View> & LossViews,
): Kernel {
  expect("loadLoss", "shape", shape, ROUTE_SHAPE);
  expect("loadLoss", "weight", weight, aNumber);
  expect("loadLoss", "views", views, LOAD_LOSS_VIEWS);
  const { tokens, rows, k } = shape;
  return {
    name: "load_loss",
    args: [
      tokens,
      rows,
      k,
      views.clean,
      views.spread,
      views.logits,
      views.slopes,
      views.loss,
      views.total,
      weight,
      views.padding ?? NONE,
    ],
  };
}

/** bias += rate * sign(mean load - load), in place; loads [rows] of all ranks. */
export function signBias(
  options: { readonly rows: number; readonly rate: number },
  views: Record<"loads" | "bias", View>,
): Kernel {
  expect("signBias", "options", options, SIGN_BIAS_OPTIONS);
  expect("signBias", "views", views, BIAS_VIEWS);
  const { rows, rate } = options;
  const { loads, bias } = views;
  return { name: "shift_bias", args: [rows, 1, 0, loads, bias, rate] };
}

/**
 * bias += rate * (share / experts - load / (sum of all loads)) of the first `experts` rows, in place: their loads tend to
 * `share` of all choices, in equal parts. Loads [rows] of all ranks.
 */
export function budgetBias(
  options: Record<"rows" | "experts" | "rate" | "share", number>,
  views: Record<"loads" | "bias", View>,
): Kernel {
  expect("budgetBias", "options", options, BUDGET_BIAS_OPTIONS);
  expect("budgetBias", "views", views, BIAS_VIEWS);
  const { loads, bias } = views;
  return {
    name: "budget_bias",
    args: [options.rows, options.experts, loads, bias, options.rate, options.share],
  };
}

/** bias = ema * bias + (1 - ema) * (mean over ranks of the wanted biases), centred; `sums` over ranks. */
export function quantileShift(
  options: { readonly rows: number; readonly ranks: number; readonly ema: number },
  views: Record<"sums" | "bias", View>,
): Kernel {
  expect("quantileShift", "options", options, QUANTILE_SHIFT_OPTIONS);
  expect("quantileShift", "views", views, QUANTILE_SHIFT_VIEWS);
  const { rows, ranks, ema } = options;
  const { sums, bias } = views;
  return { name: "shift_bias", args: [rows, ranks, 1, sums, bias, ema] };
}

/** The bias [rows] with which each row would be chosen by as many of the rank's tokens as any other. */
export function quantileBias(
  shape: RouteShape,
  views: Record<"logits" | "bias" | "out", View>,
): Kernel {
  expect("quantileBias", "shape", shape, ROUTE_SHAPE);
  expect("quantileBias", "views", views, QUANTILE_BIAS_VIEWS);
  const { tokens, rows, k } = shape;
  const { logits, bias, out } = views;
  return { name: "quantile_bias", args: [tokens, rows, k, logits, bias, out] };
}
