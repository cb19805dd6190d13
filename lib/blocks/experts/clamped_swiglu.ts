/** The expert of gpt-oss. @module */
import type { Expert, ScoreGradientOption } from "./types.ts";
import { gated } from "./gated.ts";

/**
 * `(g * sigmoid(1.702 g) * (u + 1)) @ w2 + b2` with g = min(x @ w1 + b1, 7) and u = x @ w3 + b3 clamped to [-7, 7]; a
 * clamped value passes no gradient (gpt-oss, in transformers `models/gpt_oss`).
 *
 * ```ts
 * import { clampedSwiglu } from "@schemoe/lab/blocks";
 * console.assert(clampedSwiglu().parameters({ modelDim: 8, hiddenDim: 16 }).length === 6);
 * ```
 */
export const clampedSwiglu = (options: ScoreGradientOption = {}): Expert =>
  gated({ name: "clampedSwiglu", combine: "clampedSwiglu", bias: true }, options);
