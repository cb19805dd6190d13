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
export {
  adamw,
  clampedSwiglu,
  constantRate,
  cosineRate,
  cosineTopK,
  expertChoice,
  ffn,
  geglu,
  globalBatch,
  gshard,
  hashed,
  importance,
  layerNorm,
  learnedPositions,
  load,
  noisyTopK,
  onnx,
  quantileUpdate,
  reluRouting,
  rmsNorm,
  rotaryPositions,
  routerOf,
  sequence,
  sgd,
  signUpdate,
  swiglu,
  switchBalance,
  topK,
  z,
} from "./lib/blocks/mod.ts";
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
  proveAllToAll,
  rails,
} from "./lib/alltoall/mod.ts";
export { timedGraph } from "./lib/graph/mod.ts";
export {
  acrossLayers,
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
export { openCpuEngine, openCudaEngine, openEngine, openSimulator } from "./lib/engines/mod.ts";
export {
  busy,
  communication,
  compare,
  display,
  displayable,
  disturbance,
  explain,
  exposure,
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
  writeChromeTrace,
} from "./lib/timeline/mod.ts";
// Both a scheduler and what is read off a timeline go by this name.
export { criticalPath } from "./lib/schedulers/mod.ts";
export { criticalPath as criticalPathOf } from "./lib/timeline/mod.ts";
export { openSafetensors, parseSafetensors, writeSafetensors } from "./lib/files/mod.ts";
export {
  BUILT_IN,
  createLayer,
  createStack,
  MoeLayer,
  MoeStack,
  randomNormal,
  Run,
  simulated,
  timedRun,
} from "./lib/layer/mod.ts";
export * from "./lib/model/mod.ts";
export {
  correlatedRouting,
  driftingRouting,
  uniformRouting,
  zipfRouting,
} from "./lib/routing/mod.ts";
export {
  codecStudy,
  testbed,
  TESTBED_NAMES,
  theorem1Loss,
  theorem1Losses,
  whatIf,
} from "./lib/studies/mod.ts";
export { gatherWorkers, spawnWorkers } from "./lib/workers/mod.ts";
// Types of what is given to them and comes back.
export type { LayerConfig } from "./lib/blocks/mod.ts";
export type { EngineOptions } from "./lib/engines/mod.ts";
export type { BackwardOptions, ForwardOptions, PassChoices, StackConfig } from "./lib/layer/mod.ts";
export type { GanttOptions, Timeline } from "./lib/timeline/mod.ts";
