/** GShard's balance loss. @module */
import type { Loss } from "../../types.ts";

/**
 * Balance loss of each rank: experts * sum over e of (mean score of e) * (share of tokens whose first
 * choice is e), times `weight` in the total (Lepikhin et al., "GShard", ICLR'21).
 *
 * ```ts
 * import { createLayer, gshard, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * using layer = createLayer(engine, {
 *   tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2, gate: topK({ k: 2 }), losses: [gshard({ weight: 0.01 })],
 * });
 * ```
 */
export const gshard = ({ weight }: { readonly weight: number }): Loss => ({
  name: "gshard",
  weight,
});
