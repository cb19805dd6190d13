/**
 * Which ranks hold which experts, with copies: values that follow loads, or that a user writes down.
 *
 * ```ts
 * import { identityPlacement } from "@schemoe/lab/placements";
 * const { slots } = identityPlacement(4, 2);
 * console.assert(slots[1].join() === "2,3");
 * // expert 0 on both ranks: each computes its own tokens for it
 * const hot = { name: "hot", experts: 4, slots: [[0, 1], [0, 2, 3]] };
 * console.assert(hot.slots.flat().length === 5);
 * ```
 * @module
 */
export type { Placement, PlacementWorld } from "./types.ts";
export { identityPlacement } from "./identity.ts";
export { eplb } from "./eplb.ts";
export { fasterMoeShadows, type ShadowCosts } from "./faster_moe.ts";
export { placementInGroups } from "./in_groups.ts";
export { shadowed } from "./shadowed.ts";
export { placementMoves, rankLoads, trafficOfPlacement } from "./traffic.ts";
