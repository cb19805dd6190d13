/**
 * Gates: which experts a token goes to, and with which weights.
 *
 * ```ts
 * import { topK } from "@schemoe/lab/blocks";
 * const shape = { tokens: 4, modelDim: 8, experts: 2, rows: 2 };
 * console.assert(topK({ k: 2 }).flops(shape).forward === 128);
 * ```
 * @module
 */
export type * from "./types.ts";
export { cosineLogits } from "./cosine_logits.ts";
export { cosineTopK } from "./cosine_top_k.ts";
export { expertChoice } from "./expert_choice.ts";
export { hashed } from "./hashed.ts";
export { hashTable, type HashTableOptions } from "./hash_table.ts";
export { linearLogits } from "./linear_logits.ts";
export { noisyLogits } from "./noisy_logits.ts";
export { noisyTopK } from "./noisy_top_k.ts";
export { reluRouting } from "./relu_routing.ts";
export { topK, type TopKOptions } from "./top_k.ts";
export { tokenRounding, type TokenRoundingOptions } from "./token_rounding.ts";
export { replayed, type ReplayedOptions } from "./replayed.ts";
export { routerOf } from "./router_of.ts";
export type { BestOptions } from "./top_k.ts";
export type { CosineOptions } from "./cosine_top_k.ts";
export type { ExpertChoiceOptions } from "./expert_choice.ts";
export type { HashedOptions } from "./hashed.ts";
export type { ReluOptions } from "./relu_routing.ts";
export type { Router, RouterChoice, RouterInput } from "./router.ts";
export type { LogitsOption, WeightOptions } from "./options.ts";
export type { Logits } from "./routed.ts";
