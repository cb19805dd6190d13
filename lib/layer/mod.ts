/**
 * The layer that runs: everything below put together.
 *
 * ```ts
 * import { createLayer } from "@schemoe/lab/layer";
 * import { openEngine } from "@schemoe/lab/engines";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * console.assert((await layer.forward()).makespan > 0);
 * ```
 * @module
 */
export { createLayer } from "./create_layer.ts";
export { MoeLayer, predictingLayer } from "./layer.ts";
export type { BackwardOptions, ForwardOptions } from "./layer_options.ts";
export type { AutoOptions } from "./auto/options.ts";
export type { TunedPass, Tuning, TuningEntry } from "./auto/tuning.ts";
export { routedLoads } from "./auto/layer_setup.ts";
export { type Candidate, candidateName, candidatesOf, type Grid } from "./auto/grid.ts";
export { orderOf } from "./auto/order_of.ts";
export { type PassRunner, type Predicted, rankCandidates, type Ranking } from "./auto/predict.ts";
export { BUILT_IN } from "./built_in.ts";
export type { CompressorPair, PassChoices } from "./choices.ts";
export type { Dispatch, DispatchChoice } from "./dispatch.ts";
export { type LayerPasses, type RanProgram, Run, type RunRecord, type RunSetup } from "./run.ts";
export { randomNormal } from "../random.ts";
export { simulated } from "./simulated.ts";
export { type MemoryReport, type MemoryRow } from "./memory_report.ts";
export type { LoadOptions, LoadProgress } from "./load.ts";
export type { TensorValues } from "./transfer.ts";
export { createStack, type StackConfig } from "./create_stack.ts";
export { MoeStack, predictingStack } from "./stack.ts";
export { timedRun } from "./timed_run.ts";
export type { ResolvedChoices } from "./choices.ts";
export type { Results } from "./results.ts";
