/**
 * The layer that runs: everything below put together.
 *
 * ```ts
 * import { createLayer } from "@schemoe/lab/moe";
 * import { openEngine } from "@schemoe/lab/engines";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * console.assert((await layer.forward()).makespan > 0);
 * ```
 * @module
 */
export { type BackwardOptions, createLayer, type ForwardOptions, MoeLayer } from "./layer.ts";
export { BUILT_IN, type CompressorPair, type PassChoices } from "./choices.ts";
export { type RanProgram, Run, type RunRecord, type RunSetup } from "./run.ts";
export { randomNormal } from "./random.ts";
export { simulated } from "./simulated.ts";
export { whatIf, type WhatIfOptions, type WhatIfSetup } from "./what_if.ts";
export { WhatIf, type WhatIfRow } from "./what_if_result.ts";
export type { Crossing } from "./what_if_crossings.ts";
export type { Setup, Vary } from "./what_if_vary.ts";
export { createStack, MoeStack, type StackConfig } from "./stack.ts";
export type { Attention, StackShape } from "./stack_graph.ts";
export { acrossLayers } from "./stack_scheduler.ts";
export { timedRun } from "./timed_run.ts";
export {
  type ChainTimes,
  type LossOptions,
  type Theorem1Loss,
  theorem1Loss,
  Theorem1Losses,
  theorem1Losses,
} from "./theorem1_loss.ts";
