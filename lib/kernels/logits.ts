/** Kernels of what becomes of logits before choices: noise, rows of norm 1, temperature. @module */
import { aSize, expect, someOf, someViews } from "../arguments/mod.ts";
import type { Kernel, View } from "../types.ts";
import { NONE } from "./linear.ts";
import { ROUTE_SHAPE, type RouteShape } from "./route.ts";

const ADD_NOISE_VIEWS = someViews("clean", "spread", "noise", "logits");
const NOISE_GRAD_VIEWS = someViews(
  "clean",
  "spread",
  "noise",
  "logits",
  "dLogits",
  "dSpread",
  "slopes?",
  "padding?",
);
const UNIT_ROWS_SHAPE = someOf(aSize, "sizes [rows, columns]");
const UNIT_ROWS_VIEWS = someViews("x", "y", "norms");
const UNIT_ROWS_GRAD_VIEWS = someViews("y", "norms", "dy", "dx");
const TEMPER_VIEWS = someViews("z", "temperature", "dz?", "dTemperature?");

/** logits = clean + noise * softplus(spread). */
export function addNoise(
  count: number,
  views: Record<"clean" | "spread" | "noise" | "logits", View>,
): Kernel {
  expect("addNoise", "count", count, aSize);
  expect("addNoise", "views", views, ADD_NOISE_VIEWS);
  const { clean, spread, noise, logits } = views;
  return { name: "add_noise", args: [count, clean, spread, noise, logits] };
}

/**
 * From the gradient of noisy logits (in place) to those of the clean ones and of the spread; with `slopes`
 * [rows] that of the load loss too, whose bounds are among the noisy logits.
 */
export function noiseGrad(
  shape: RouteShape,
  views:
    & Record<"clean" | "spread" | "noise" | "logits" | "dLogits" | "dSpread", View>
    & { slopes?: View; padding?: View },
): Kernel {
  expect("noiseGrad", "shape", shape, ROUTE_SHAPE);
  expect("noiseGrad", "views", views, NOISE_GRAD_VIEWS);
  const { tokens, rows, k } = shape;
  return {
    name: "noise_grad",
    args: [
      tokens,
      rows,
      k,
      views.clean,
      views.spread,
      views.noise,
      views.logits,
      views.slopes ?? NONE,
      views.dLogits,
      views.dSpread,
      views.padding ?? NONE,
    ],
  };
}

/** Rows divided by their Euclidean norms (at least 1e-12), which are kept. */
export function unitRows(
  shape: readonly [number, number],
  views: Record<"x" | "y" | "norms", View>,
): Kernel {
  expect("unitRows", "shape", shape, UNIT_ROWS_SHAPE);
  expect("unitRows", "views", views, UNIT_ROWS_VIEWS);
  const [rows, columns] = shape;
  const { x, y, norms } = views;
  return { name: "unit_rows", args: [rows, columns, x, y, norms] };
}

/** The gradient of {@linkcode unitRows}, from its results. */
export function unitRowsGrad(
  shape: readonly [number, number],
  views: Record<"y" | "norms" | "dy" | "dx", View>,
): Kernel {
  expect("unitRowsGrad", "shape", shape, UNIT_ROWS_SHAPE);
  expect("unitRowsGrad", "views", views, UNIT_ROWS_GRAD_VIEWS);
  const [rows, columns] = shape;
  const { y, norms, dy, dx } = views;
  return { name: "unit_rows_grad", args: [rows, columns, y, norms, dy, dx] };
}

/** z divided by a temperature [1], in place; or with gradients: dz likewise, and that of the temperature. */
export function temper(
  count: number,
  views: Record<"z" | "temperature", View> & { dz?: View; dTemperature?: View },
): Kernel {
  expect("temper", "count", count, aSize);
  expect("temper", "views", views, TEMPER_VIEWS);
  return {
    name: "temper",
    args: [
      count,
      views.z,
      views.temperature,
      views.dz ?? NONE,
      views.dTemperature ?? NONE,
    ],
  };
}
