/** The noisy top-k gate. @module */
import type { Gate } from "./types.ts";
import { noisyLogits } from "./noisy_logits.ts";
import { type BestOptions, chooseBest } from "./top_k.ts";

/**
 * The k best by noisy logits, weights their softmax (Shazeer et al., "Outrageously large neural networks", arXiv
 * 1701.06538): z = x @ weight^T + noise * softplus(x @ noiseWeight^T), the noise an input `gate.noise` [ranks,
 * tokens, experts]. Goes with the losses `importance` and `load`.
 *
 * ```ts
 * import { createLayer, noisyTopK, openEngine } from "@schemoe/lab";
 * import { importance, load } from "@schemoe/lab/blocks";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * using layer = createLayer(engine, {
 *   ...{ tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4, gate: noisyTopK({ k: 2 }) },
 *   losses: [importance({ weight: 0.1 }), load({ weight: 0.1 })],
 * });
 * ```
 */
export const noisyTopK = (options: BestOptions = {}): Gate =>
  chooseBest("noisyTopK", noisyLogits(), { scores: "softmaxOfChosen", ...options });
