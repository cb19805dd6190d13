/**
 * Costs: how long each task takes.
 *
 * ```ts
 * import { transferSeconds } from "@schemoe/lab/costs";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 1, ranksPerNode: 2, intra: { alpha: 1e-6, beta: 1e-9 } });
 * const seconds = transferSeconds(world, 0, [{ kind: "send", peer: 1, bytes: 1000 }]);
 * console.assert(Math.abs(seconds - 2e-6) < 1e-15);
 * ```
 * @module
 */
export type * from "./types.ts";
export {
  cardBeta,
  computeSeconds,
  linkBetween,
  modelCosts,
  type PhaseSeconds,
  phaseSeconds,
  spineBeta,
  taskSeconds,
  trafficSeconds,
  transferSeconds,
} from "./model.ts";
export { completeExchange, countTransfers, listedTraffic, peersOf, trafficOf } from "./traffic.ts";
export {
  cardOf,
  cardsPerNode,
  crossing,
  leafOf,
  nodesPerLeaf,
  ranksPerLeaf,
  uplinkBeta,
} from "./spine.ts";
export { measuredCosts } from "./measured.ts";
export { type Bound, lowerBound } from "./bound.ts";
