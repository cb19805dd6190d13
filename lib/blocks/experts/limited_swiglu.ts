/** The expert of DeepSeek-V4. @module */
import { gated } from "./gated.ts";
import type { Expert, ScoreGradientOption } from "./types.ts";

/**
 * `(silu(g) * u) @ w2` with g = min(x @ w1, 10) and u = x @ w3 clamped to [-10, 10]; a clamped value passes no gradient
 * (DeepSeek-V4, `swiglu_limit` in transformers `models/deepseek_v4`).
 *
 * ```ts
 * import { limitedSwiglu } from "@schemoe/lab/blocks";
 * console.assert(limitedSwiglu().parameters({ modelDim: 8, hiddenDim: 16 }).length === 3);
 * ```
 */
export const limitedSwiglu = (options: ScoreGradientOption = {}): Expert =>
  gated({ name: "limitedSwiglu", combine: "limitedSwiglu", bias: false }, options);
