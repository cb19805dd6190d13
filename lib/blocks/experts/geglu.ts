/** The feed-forward expert gated by GELU. @module */
import type { Expert, ScoreGradientOption } from "./types.ts";
import { gated } from "./gated.ts";

/**
 * `(gelu(x @ w1) * (x @ w3)) @ w2` with the exact GELU, w1, w3 [M, H] and w2 [H, M] (Shazeer, arXiv 2002.05202).
 *
 * ```ts
 * import { geglu } from "@schemoe/lab/blocks";
 * console.assert(geglu().parameters({ modelDim: 8, hiddenDim: 16 }).length === 3);
 * ```
 */
export const geglu = (options: ScoreGradientOption = {}): Expert =>
  gated({ name: "geglu", combine: "gelu", bias: false }, options);
