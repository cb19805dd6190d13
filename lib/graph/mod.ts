/**
 * Task graphs: the tasks of a pass and their dependencies.
 *
 * ```ts
 * import { GraphBuilder } from "@schemoe/lab/graph";
 * import { topology } from "@schemoe/lab";
 * const g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 2 }), "forward", 1);
 * const work = g.add({ kind: "opaque", label: "work", chunk: 0, stage: 0, after: [], flops: 1e9 });
 * console.assert(g.build({}).tasks[work.id].name === "work[0]");
 * ```
 * @module
 */
export { type Exchange, GraphBuilder, type NewTask, sentBytes } from "./builder.ts";
export { forwardGraph, gateGraph, gatheredBuffer, type PassOptions } from "./forward.ts";
export { backwardGraph, type BackwardPassOptions } from "./backward.ts";
export { wireBytes } from "./wire.ts";
export { type PhaseTimes, type StageTimes, timedGraph, type TimedOptions } from "./timed.ts";
export {
  addCodedReduce,
  codedRoom,
  type CodedSum,
  type Half,
  type ReduceCodecs,
} from "./reduce_coded.ts";
export { addAllReduce } from "./reduce.ts";
export { addCollective, type CollectiveExchange } from "./collective.ts";
export type { SliceValues } from "./collective_sizes.ts";
export type { RowCoding } from "./row_coding.ts";
export { type Segment, segmentsOf, type StackedSegment, stackGraph } from "./stack.ts";
export type { Attention, StackShape } from "./layers.ts";
export type { RaggedSlices, Slices } from "./transfers.ts";
export type { Codecs, Way } from "./way.ts";
export type { Place } from "./reduce.ts";
