/** Kernels of optimizers: the norm of gradients, and updates. @module */
import {
  aFlag,
  aNumber,
  aSize,
  aView,
  expect,
  numbersOf,
  record,
  someViews,
} from "../arguments/mod.ts";
import type { Kernel, View } from "../types.ts";

const SUM_VALUES_OF = record("{ squares, count, x, out }", {
  squares: aFlag,
  count: aSize,
  x: aView,
  out: aView,
});
const CLIP_SCALE_OF = record("{ count, sums, out, limit }", {
  count: aSize,
  sums: aView,
  out: aView,
  limit: aNumber,
});
const ADAMW_UPDATE_VIEWS = someViews("parameter", "gradient", "first", "second", "clip", "rates");
const ADAMW_UPDATE_OPTIONS = record("{ betas, epsilon, decay }", {
  betas: numbersOf(aNumber),
  epsilon: aNumber,
  decay: aNumber,
});
const SGD_UPDATE_VIEWS = someViews("parameter", "gradient", "velocity", "clip", "rates");

/** `out[0]` = sum of `count` float32 values, or of their squares; the order is fixed. */
export function sumValues(of: { squares: boolean; count: number; x: View; out: View }): Kernel {
  expect("sumValues", "of", of, SUM_VALUES_OF);
  const { squares, count, x, out } = of;
  return { name: "sum_values", args: [Number(squares), count, x, out] };
}

/** `out` = { norm, factor }: the root of the sum of `sums`, and what keeps it below `limit` (0: 1). */
export function clipScale(of: { count: number; sums: View; out: View; limit: number }): Kernel {
  expect("clipScale", "of", of, CLIP_SCALE_OF);
  const { count, sums, out, limit } = of;
  return { name: "clip_scale", args: [count, sums, out, limit] };
}

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
export function adamwUpdate(
  count: number,
  views:
    & UpdateViews
    & Record<"first" | "second", View>,
  options: {
    betas: readonly [number, number];
    epsilon: number;
    decay: number;
  },
): Kernel {
  expect("adamwUpdate", "count", count, aSize);
  expect("adamwUpdate", "views", views, ADAMW_UPDATE_VIEWS);
  expect("adamwUpdate", "options", options, ADAMW_UPDATE_OPTIONS);
  const { parameter, gradient, first, second, clip, rates } = views;
  const { betas: [beta1, beta2], epsilon, decay } = options;
  return {
    name: "adamw",
    args: [count, parameter, gradient, first, second, clip, rates, beta1, beta2, epsilon, decay],
  };
}

/** `v = momentum v + g; p = p - lr v`. */
export function sgdUpdate(
  count: number,
  views: UpdateViews & { readonly velocity: View },
  momentum: number,
): Kernel {
  expect("sgdUpdate", "count", count, aSize);
  expect("sgdUpdate", "views", views, SGD_UPDATE_VIEWS);
  expect("sgdUpdate", "momentum", momentum, aNumber);
  const { parameter, gradient, velocity, clip, rates } = views;
  return { name: "sgd", args: [count, parameter, gradient, velocity, clip, rates, momentum] };
}

/** `out` = `count` float32 numbers as bfloat16, to nearest, ties to even. */
export function round(count: number, x: View, out: View): Kernel {
  expect("round", "count", count, aSize);
  expect("round", "x", x, aView);
  expect("round", "out", out, aView);
  return {
    name: "round",
    args: [count, x, out],
  };
}
