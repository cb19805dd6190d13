/**
 * Models by name (README.md in this folder has them as a table), and one layer of each simulated on clusters of many
 * sizes.
 *
 * ```ts
 * import { model } from "@schemoe/lab/models";
 * console.assert(model("mixtral-8x7b").expertParallel === 8);
 * const small = model("gpt-oss-120b").scaledTo({ modelDim: 64, hiddenDim: 64, experts: 16 });
 * console.assert(small.layer({ tokens: 128 }).experts === 16);
 * ```
 * @module
 */
export { modelTable } from "./describe.ts";
export type { ModelLayerOptions } from "./layer.ts";
export { type Model, model, MODEL_NAMES } from "./published.ts";
export type { ModelSizes } from "./scale.ts";
export { type ModelRow, type ModelsOptions, simulateModels } from "./simulate.ts";
export type { ModelLoss, ModelRouter, ModelSpec } from "./spec.ts";
