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
export { BUILT_IN, type PassChoices } from "./choices.ts";
export { type RanProgram, Run } from "./run.ts";
export { randomNormal } from "./random.ts";
export { simulated } from "./simulated.ts";
export { WhatIf, whatIf, type WhatIfOptions, type WhatIfRow, type WhatIfSetup } from "./what_if.ts";
export type { Crossing } from "./what_if_crossings.ts";
export type { Setup, Vary } from "./what_if_vary.ts";
export { type Attention, createStack, MoeStack, type StackConfig } from "./stack.ts";
export { acrossLayers } from "./stack_scheduler.ts";
