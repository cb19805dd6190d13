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
export { SchemoeError } from "./lib/types.ts";
export { interruptSignal } from "./lib/interrupt.ts";
export { sharedProcessor, topology, type TopologyOptions } from "./lib/topology.ts";
export { testbed } from "./lib/testbeds/mod.ts";
export { openEngine } from "./lib/engines/mod.ts";
export { gatherWorkers, spawnWorkers } from "./lib/workers/mod.ts";
// Layers, stacks, models, and their blocks.
export { BUILT_IN, createLayer, createStack } from "./lib/layer/mod.ts";
export { createModel } from "./lib/model/mod.ts";
export {
  adamw,
  clampedSwiglu,
  cosineTopK,
  expertChoice,
  ffn,
  geglu,
  hashed,
  noisyTopK,
  onnx,
  reluRouting,
  sgd,
  swiglu,
  topK,
} from "./lib/blocks/mod.ts";
// Choices of a pass by value instead of by name.
export * from "./lib/compressors/mod.ts";
export * from "./lib/chunking/mod.ts";
export {
  balanced,
  bruck,
  fast,
  hierarchical1d,
  hierarchical2d,
  hierarchical2dPipelined,
  linear,
  matchings,
  pairwise,
  pipe,
  rails,
} from "./lib/alltoall/mod.ts";
export {
  acrossLayers,
  criticalPath,
  exact,
  exactSchedule,
  exactWith,
  fasterMoE,
  fsMoE,
  manual,
  optSche,
  pipeMoE,
  sequential,
  tutel,
  weightGradLast,
} from "./lib/schedulers/mod.ts";
// Measures, charts and files of runs.
export {
  busy,
  communication,
  compare,
  display,
  disturbance,
  explain,
  exposure,
  fromChromeTrace,
  fromCSV,
  gantt,
  idle,
  imbalance,
  loadRun,
  overlap,
  predictedVsMeasured,
  progress,
  readChromeTrace,
  report,
  saveRun,
  settled,
  show,
  stragglers,
  toCSV,
  writeChromeTrace,
} from "./lib/timeline/mod.ts";
export { openSafetensors, parseSafetensors, writeSafetensors } from "./lib/files/mod.ts";
export { whatIf } from "./lib/studies/mod.ts";
// Types of their arguments and results; types that only authors of blocks need are in their subpaths.
export type {
  Chunk,
  HostContext,
  Kernel,
  Lane,
  Pass,
  Task,
  TaskGraph,
  Topology,
  View,
} from "./lib/types.ts";
export type { AllToAll, Phase, Slice, Step } from "./lib/alltoall/mod.ts";
export type { Expert, Gate, LayerConfig, Loss, UnevenLayerConfig } from "./lib/blocks/mod.ts";
export type { Costs } from "./lib/costs/mod.ts";
export type { Engine, EngineOptions } from "./lib/engines/mod.ts";
export type {
  BackwardOptions,
  ForwardOptions,
  MoeLayer,
  MoeStack,
  PassChoices,
  Run,
  StackConfig,
} from "./lib/layer/mod.ts";
export type { ModelConfig, MoeModel } from "./lib/model/mod.ts";
export type { Schedule, Scheduler } from "./lib/schedulers/mod.ts";
export type { GanttOptions, Timeline } from "./lib/timeline/mod.ts";
