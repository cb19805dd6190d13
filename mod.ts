/**
 * A laboratory for the schedules of Mixture-of-Experts training: run a layer forward and backward in a
 * notebook cell, swap its scheduler, all-to-all, codec or expert, and see what happened.
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
 * const layer = createLayer(engine, { tokens: 256, modelDim: 64, hiddenDim: 128, experts: 8, gate: topK({ k: 2 }) });
 * const run = await layer.forward({ scheduler: "optSche", allToAll: "pipe", chunks: 4 });
 * console.log(run.verdict);
 * ```
 * Nothing runs on import; the native library is opened by the engine that needs it.
 * @module
 */
export type * from "./lib/types.ts";
export { SchemoeError } from "./lib/types.ts";
export { interruptSignal } from "./lib/interrupt.ts";
export { sharedProcessor, topology, type TopologyOptions } from "./lib/topology.ts";
export * from "./lib/compressors/mod.ts";
export * from "./lib/blocks/mod.ts";
export * from "./lib/chunking/mod.ts";
export * from "./lib/alltoall/mod.ts";
export * from "./lib/graph/mod.ts";
export * from "./lib/schedulers/mod.ts";
export * from "./lib/program/mod.ts";
export * from "./lib/costs/mod.ts";
export * from "./lib/engines/mod.ts";
export * from "./lib/timeline/mod.ts";
// Both a scheduler and what is read off a timeline go by this name.
export { criticalPath } from "./lib/schedulers/mod.ts";
export { criticalPath as criticalPathOf } from "./lib/timeline/mod.ts";
export { openSafetensors, parseSafetensors, writeSafetensors } from "./lib/files/mod.ts";
export * from "./lib/layer/mod.ts";
export * from "./lib/model/mod.ts";
export * from "./lib/routing/mod.ts";
export * from "./lib/studies/mod.ts";
export * from "./lib/workers/mod.ts";
