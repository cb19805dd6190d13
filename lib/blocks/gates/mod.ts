/**
 * Gates: which experts a token goes to, and with which weights.
 *
 * ```ts
 * import { topK } from "@schemoe/lab/blocks";
 * console.assert(topK({ k: 2 }).flops({ tokens: 4, modelDim: 8, experts: 2 }).forward === 128);
 * ```
 * @module
 */
export { topK, type TopKOptions } from "./top_k.ts";
