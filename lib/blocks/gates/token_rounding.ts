/** The gate whose experts get whole tiles of tokens. @module */
import { aCount, anything, expect, maybe, options } from "../../arguments/mod.ts";
import { roundChoices, route } from "../../kernels/mod.ts";
import type { Kernel } from "../../types.ts";
import {
  checkCount,
  type LogitsOption,
  logitsOption,
  type WeightOptions,
  weightOptions,
} from "./options.ts";
import { checkOptions, failGate, routed } from "./routed.ts";
import type { Gate } from "./types.ts";

const TOKEN_ROUNDING_GIVEN = options({
  k: maybe(aCount),
  tile: anything,
  logits: anything,
  scores: anything,
  normalize: anything,
  scale: anything,
  weighs: anything,
});

/** Options of {@linkcode tokenRounding}. */
export interface TokenRoundingOptions extends WeightOptions, LogitsOption {
  /**
   * Divide the weights of a token by their sum; default for k above 1. With k = 1 most tokens have one expert, whose weight
   * would be 1 whatever the gate says.
   */
  readonly normalize?: boolean;
  /** Experts of a token before rounding; default 1. */
  readonly k?: number;
  /** Rows of a tile of the experts' products; default 128. */
  readonly tile?: number;
}

/**
 * Each token chooses its k best experts; then the tokens that each expert has from a rank are rounded to the nearest
 * multiple of a tile, so that no tile of its products is padded: the chosen ones stay first, best scores first, then
 * come the best of the others (Guo et al., "SonicMoE", arXiv 2512.14080). A token may end with more or fewer
 * than k experts; half a tile is rounded up, and no expert gets more whole tiles than there are tokens for. For
 * training; evaluate with `topK`.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { tokenRounding } from "@schemoe/lab/blocks";
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * const config = { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, routing: { dropless: true } };
 * using layer = createLayer(engine, { ...config, gate: tokenRounding({ k: 2, tile: 16 }) });
 * const { loads } = await layer.forward();
 * console.assert(loads!.every((load) => load % 16 === 0));
 * ```
 * @throws {SchemoeError} for an unknown option, and in a layer of fewer tokens than a tile has.
 */
export function tokenRounding(given: TokenRoundingOptions = {}): Gate {
  expect("tokenRounding", "given", given, TOKEN_ROUNDING_GIVEN);
  const { k = 1, tile = 128, ...options } = given;
  const { scores: _, normalize: _n, scale: _s, weighs: _w, logits: _l, ...others } = options;
  const known = ["k", "tile", "logits", "scores", "normalize", "scale", "weighs"];
  checkOptions("tokenRounding", others, known);
  checkCount("tokenRounding", "tile", tile);
  const weights = weightOptions("tokenRounding", {
    ...options,
    normalize: options.normalize ?? k > 1,
  });
  return routed({
    name: "tokenRounding",
    k,
    logits: logitsOption("tokenRounding", options),
    chosen: "given",
    dense: true,
    ...weights,
    tensors({ tokens }) {
      if (tokens < tile) {
        const problem = `a tile of ${tile} rows is more than the ${tokens} tokens of a rank`;
        failGate("tokenRounding", problem);
      }
      return [
        { name: "best", shape: [tokens, k], dtype: "int32", life: "pass" },
        { name: "bestWeights", shape: [tokens, k], life: "pass" },
      ];
    },
    choose(c): Kernel[] {
      const best = c.tensor("best");
      const views = { ...c, choices: best, weights: c.tensor("bestWeights") };
      return [
        route({ ...c, k }, { ...weights, chosen: "largest" }, views),
        roundChoices({ ...c, k, tile }, { ...c, best }),
      ];
    },
  });
}
