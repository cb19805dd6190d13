/**
 * All-to-all algorithms: slice j of each rank's input becomes slice i of rank j's output.
 *
 * ```ts
 * import { pipe } from "@schemoe/lab/alltoall";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 2, ranksPerNode: 2 });
 * console.assert(pipe.plan({ rank: 0, topology: world }).length === 2);
 * ```
 * @module
 */
export type * from "./types.ts";
export { linear } from "./linear.ts";
export { pipe } from "./pipe.ts";
export { hierarchical1d } from "./hierarchical1d.ts";
export { hierarchical2d } from "./hierarchical2d.ts";
export { hierarchical2dPipelined } from "./hierarchical2d_pipelined.ts";
export { pairwise } from "./pairwise.ts";
export { bruck } from "./bruck.ts";
export { balanced } from "./balanced.ts";
export { rails } from "./rails.ts";
export { fast } from "./fast.ts";
export { matchings } from "./matchings.ts";
export { nodeCombine, nodeDispatch } from "./node_aware.ts";
export { type CountedGroups, type NodeCounts, nodeCounts } from "./node_counts.ts";
export { type GroupOrder, groupOrder, type TokenGroup } from "./token_groups.ts";
export { type AllToAllBound, allToAllBound, allToAllBounds } from "./bounds.ts";
export { type CollectiveProof, type Proof, proveAllToAll, proveCollective } from "./prove.ts";
export { copy, input, output, receive, reduce, scratch, send, type SliceOf } from "./slices.ts";
