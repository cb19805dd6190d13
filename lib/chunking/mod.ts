/**
 * Ways to split a pass into chunks, and the loads of a routing that decide how many rows each has.
 *
 * ```ts
 * import { capacitySlices } from "@schemoe/lab/chunking";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 1, ranksPerNode: 2 });
 * console.assert(capacitySlices(4).split({ capacity: 10, topology: world }).length === 4);
 * ```
 * @module
 */
export type * from "./types.ts";
export { capacitySlices } from "./capacity_slices.ts";
export { peerGroups } from "./peer_groups.ts";
export { expertWaves } from "./expert_waves.ts";
export type { GivenLoads } from "./loads.ts";
