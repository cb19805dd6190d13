/**
 * Programs: a graph in one total order, checked and packed for the native library.
 *
 * ```ts
 * import { buildProgram } from "@schemoe/lab/program";
 * import { GraphBuilder } from "@schemoe/lab/graph";
 * import { topology } from "@schemoe/lab";
 * const g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 2 }), "forward", 1);
 * g.add({ kind: "opaque", label: "work", chunk: 0, stage: 0, after: [], flops: 1e9 });
 * const graph = g.build({});
 * console.assert(buildProgram(graph, graph.tasks, "mine").order.length === 1);
 * ```
 * @module
 */
export type { Program } from "../engine.ts";
export { buildProgram } from "./program.ts";
export { ABI_VERSION, pack, type PackedProgram, type PackOptions } from "./pack.ts";
export type { Place } from "./words.ts";
