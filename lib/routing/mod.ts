/**
 * Routings as data: made up, recorded or imported, and the loads that follow.
 *
 * ```ts
 * import { imbalanceOf, loadsOf, zipfRouting } from "@schemoe/lab/routing";
 * const trace = zipfRouting({ ranks: 4, tokens: 256, experts: 8, topK: 2, exponent: 1 });
 * console.assert(imbalanceOf(loadsOf(trace)).expert > 1.3);
 * ```
 * @module
 */
export type { RouterTrace, TraceSizes } from "./types.ts";
export {
  driftingRouting,
  type DriftOptions,
  uniformRouting,
  type ZipfOptions,
  zipfRouting,
} from "./zipf.ts";
export { type CorrelatedOptions, correlatedRouting } from "./correlated.ts";
export { imbalanceOf, loadsCsv, loadsOf, parseLoads } from "./loads.ts";
export {
  gravityTraffic,
  parseTrafficMatrix,
  type RankSums,
  trafficOfLoads,
  wavesOfLoads,
} from "./matrix.ts";
export { megatronTrace, parseMegatronTrace, type TracedRouting } from "./megatron.ts";
export { type RoutedGroup, tokenGroups } from "./token_groups.ts";
export type { TextSource } from "./numbers.ts";
export { routingOfLoads } from "./of_loads.ts";
export { recordedRouting, type Recording } from "./recorded.ts";
