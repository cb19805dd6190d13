/**
 * Blocks of a layer: experts, gates, losses, and the sizes that they share.
 *
 * ```ts
 * import { capacity, resolveLayer, swiglu, topK } from "@schemoe/lab/blocks";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 1, ranksPerNode: 2 });
 * const gate = topK({ k: 2 });
 * const layer = resolveLayer({ tokens: 64, modelDim: 16, hiddenDim: 32, experts: 4, gate }, world);
 * console.assert(capacity(layer, 0) === 32);
 * console.assert(swiglu().parameters({ modelDim: 8, hiddenDim: 16 }).length === 3);
 * ```
 * @module
 */
export type * from "./types.ts";
export * from "./experts/mod.ts";
export * from "./gates/mod.ts";
export * from "./losses/mod.ts";
export * from "./optimizers/mod.ts";
export { layerNorm, type Norm, type NormOptions, rmsNorm } from "./norms.ts";
export { learnedPositions, type PositionCoding, rotaryPositions } from "./places.ts";
export { constantRate, cosineRate, type Rate } from "./rates.ts";
export * from "./updates/mod.ts";
export type { Routing } from "./routing.ts";
export type { ResolvedShared, SharedExpert } from "./shared_expert.ts";
export { capacity, routedCapacity } from "./capacity.ts";
export {
  elementBytes,
  type Layer,
  type LayerConfig,
  type UnevenLayerConfig,
} from "./layer_config.ts";
export { resolveLayer } from "./resolve_layer.ts";
export type { ExpertGroups, Parallel } from "./expert_groups.ts";
export { allTokens, ofRank, type RankTokens, tokensOf } from "./rank_tokens.ts";
export type { PlacedExperts } from "./placed.ts";
