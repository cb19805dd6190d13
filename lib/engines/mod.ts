/**
 * Engines: what runs a Program. `simulate` needs nothing, `cpu` the native library, `cuda` a GPU.
 *
 * ```ts
 * import { openEngine } from "@schemoe/lab/engines";
 * import { topology } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", topology: topology({ nodes: 2, ranksPerNode: 2 }) });
 * console.assert(engine.topology.ranks === 4);
 * ```
 * @module
 */
export type { Engine, EventTable, RunOptions, Workspace } from "../engine.ts";
export { type EngineOptions, openEngine } from "./open.ts";
export { openSimulator, simulate, type SimulateOptions } from "./simulate.ts";
export { type CpuOptions, openCpuEngine } from "./cpu.ts";
export { type CopyBy, type CudaOptions, openCudaEngine, type TransportOptions } from "./cuda.ts";
export type { CardOptions, LinkOptions, ProcessorOptions } from "../topology_units.ts";
