/**
 * Gates: which experts a token goes to, and with which weights.
 *
 * ```ts
 * import { topK } from "@schemoe/lab/blocks";
 * console.assert(topK.flops({ tokens: 4, modelDim: 8, experts: 2 }).forward === 128);
 * ```
 * @module
 */
export { topK } from "./top_k.ts";
