/** Kernels of optimizers: the norm of gradients, and updates. @module */
import type { Kernel, View } from "../types.ts";

/** `out[0]` = sum of `count` float32 values, or of their squares; the order is fixed. */
export const sumValues = (
  { squares, count, x, out }: { squares: boolean; count: number; x: View; out: View },
): Kernel => ({ name: "sum_values", args: [Number(squares), count, x, out] });

/** `out` = { norm, factor }: the root of the sum of `sums`, and what keeps it below `limit` (0: 1). */
export const clipScale = (
  { count, sums, out, limit }: { count: number; sums: View; out: View; limit: number },
): Kernel => ({ name: "clip_scale", args: [count, sums, out, limit] });

/** What every update reads: gradients, the factor of {@linkcode clipScale}, and the rates of the step. */
export interface UpdateViews {
  /** float32 values, changed in place. */
  readonly parameter: View;
  /** float32 gradients, as many. */
  readonly gradient: View;
  /** float32 { norm, factor } of {@linkcode clipScale}; gradients are multiplied by the factor. */
  readonly clip: View;
  /** float32 {learning rate, 1 - beta1^n, 1 - beta2^n}. */
  readonly rates: View;
}

/** AdamW (Loshchilov and Hutter, ICLR'19); `schemoe.h` has the formula. */
export const adamwUpdate = (
  count: number,
  { parameter, gradient, first, second, clip, rates }:
    & UpdateViews
    & Record<"first" | "second", View>,
  { betas: [beta1, beta2], epsilon, decay }: {
    betas: readonly [number, number];
    epsilon: number;
    decay: number;
  },
): Kernel => ({
  name: "adamw",
  args: [count, parameter, gradient, first, second, clip, rates, beta1, beta2, epsilon, decay],
});

/** `v = momentum v + g; p = p - lr v`. */
export const sgdUpdate = (
  count: number,
  { parameter, gradient, velocity, clip, rates }: UpdateViews & { readonly velocity: View },
  momentum: number,
): Kernel => ({ name: "sgd", args: [count, parameter, gradient, velocity, clip, rates, momentum] });

/** `out` = `count` float32 numbers as bfloat16, to nearest, ties to even. */
export const round = (count: number, x: View, out: View): Kernel => ({
  name: "round",
  args: [count, x, out],
});
