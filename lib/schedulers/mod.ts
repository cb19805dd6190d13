/**
 * Schedulers: pure functions from a task graph to a total order of its tasks.
 *
 * ```ts
 * import { optSche, sequential } from "@schemoe/lab/schedulers";
 * console.assert(sequential.name === "sequential" && optSche.name === "optSche");
 * ```
 * @module
 */
export type * from "./types.ts";
export { sequential } from "./sequential.ts";
export { optSche } from "./opt_sche.ts";
export { tutel } from "./tutel.ts";
export { fasterMoE } from "./faster_moe.ts";
export { criticalPath } from "./critical_path.ts";
export { weightGradLast } from "./weight_grad_last.ts";
export { manual } from "./manual.ts";
export {
  type ChunkChoice,
  type ChunkTime,
  type CostedGraph,
  fitChunkTimes,
  type StageFits,
} from "./chunk_time.ts";
export { pipeMoE, type PipeMoeCase, pipeMoeChunks, type PipeMoeTimes } from "./pipe_moe.ts";
export { fsMoE, type FsMoeCase, fsMoeChunks, type FsMoeTimes } from "./fs_moe.ts";
export { exact, type ExactOptions, type ExactSchedule, exactSchedule, exactWith } from "./exact.ts";
export { acrossLayers } from "./across_layers.ts";
