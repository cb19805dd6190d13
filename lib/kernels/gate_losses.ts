/** Kernels of losses on a routing, and of updates that keep experts equally busy. @module */
import type { GateScores } from "./types.ts";
import type { Kernel, View } from "../types.ts";
import { NONE } from "./linear.ts";
import { type RouteShape, scoresCode } from "./route.ts";

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
export const balanceLoss = (
  { tokens, rows }: Omit<RouteShape, "k">,
  options: { readonly scores: GateScores; readonly factor: number; readonly weight: number },
  views: Record<"scores" | "counts" | "balance", View> & LossViews,
): Kernel => ({
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
});

/** Mean over tokens of (logsumexp over all rows)^2. */
export const zLoss = (
  { tokens, rows }: Omit<RouteShape, "k">,
  weight: number,
  { logits, loss, total, padding }: { readonly logits: View } & LossViews,
): Kernel => ({
  name: "z_loss",
  args: [tokens, rows, logits, loss, total, weight, padding ?? NONE],
});

/** Squared variation of the sums of weights of each row; adds its slope in each sum to `importance` [rows]. */
export const importanceLoss = (
  { tokens, rows, k }: RouteShape,
  weight: number,
  views: Record<"choices" | "weights" | "importance", View> & LossViews,
): Kernel => ({
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
});

/** Squared variation of the loads that a noisy gate expects; writes its slope in each load to `slopes`. */
export const loadLoss = (
  { tokens, rows, k }: RouteShape,
  weight: number,
  views: Record<"clean" | "spread" | "logits" | "slopes", View> & LossViews,
): Kernel => ({
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
});

/** bias += rate * sign(mean load - load), in place; loads [rows] of all ranks. */
export const signBias = (
  { rows, rate }: { readonly rows: number; readonly rate: number },
  { loads, bias }: Record<"loads" | "bias", View>,
): Kernel => ({ name: "shift_bias", args: [rows, 1, 0, loads, bias, rate] });

/**
 * bias += rate * (share / experts - load / (sum of all loads)) of the first `experts` rows, in place: their loads tend to
 * `share` of all choices, in equal parts. Loads [rows] of all ranks.
 */
export const budgetBias = (
  options: Record<"rows" | "experts" | "rate" | "share", number>,
  { loads, bias }: Record<"loads" | "bias", View>,
): Kernel => ({
  name: "budget_bias",
  args: [options.rows, options.experts, loads, bias, options.rate, options.share],
});

/** bias = ema * bias + (1 - ema) * (mean over ranks of the wanted biases), centred; `sums` over ranks. */
export const quantileShift = (
  { rows, ranks, ema }: { readonly rows: number; readonly ranks: number; readonly ema: number },
  { sums, bias }: Record<"sums" | "bias", View>,
): Kernel => ({ name: "shift_bias", args: [rows, ranks, 1, sums, bias, ema] });

/** The bias [rows] with which each row would be chosen by as many of the rank's tokens as any other. */
export const quantileBias = (
  { tokens, rows, k }: RouteShape,
  { logits, bias, out }: Record<"logits" | "bias" | "out", View>,
): Kernel => ({ name: "quantile_bias", args: [tokens, rows, k, logits, bias, out] });
