/**
 * The layer: what is computed, independent of where and in which order.
 *
 * ```ts
 * import { capacity, resolveLayer } from "@schemoe/lab/layer";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 1, ranksPerNode: 2 });
 * const layer = resolveLayer({ tokens: 64, modelDim: 16, hiddenDim: 32, experts: 4, topK: 2 }, world);
 * console.assert(capacity(layer, 0) === 32);
 * ```
 * @module
 */
export {
  capacity,
  elementBytes,
  type Layer,
  type LayerConfig,
  resolveLayer,
  routedCapacity,
} from "./config.ts";
export { capacitySlices } from "./chunking.ts";
export { peerGroups } from "./peer_groups.ts";
