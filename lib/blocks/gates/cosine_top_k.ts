/** The cosine gate. @module */
import type { Gate } from "./types.ts";
import { cosineLogits } from "./cosine_logits.ts";
import { checkCount } from "./options.ts";
import { type BestOptions, chooseBest } from "./top_k.ts";

/** Options of {@linkcode cosineTopK}. */
export interface CosineOptions extends BestOptions {
  /** Columns that tokens are projected to. */
  readonly width: number;
}

/**
 * The k best by cosine between the projected token and an embedding of each expert, over a trained temperature
 * (Chi et al., "On the representation collapse of sparse mixture of experts", arXiv 2204.09179).
 *
 * ```ts
 * import { cosineTopK, createLayer, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const gate = cosineTopK({ k: 2, width: 4 });
 * using layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, gate });
 * ```
 */
export function cosineTopK(given: CosineOptions): Gate {
  const { width, ...options }: CosineOptions = Object(given);
  checkCount("cosineTopK", "width", width);
  return chooseBest("cosineTopK", cosineLogits({ width }), options, ["width"]);
}
