/**
 * Models by name, and one layer of each simulated on clusters of many sizes.
 *
 * ```ts
 * import { model } from "@schemoe/lab/models";
 * console.assert(model("mixtral-8x7b").expertParallel === 8);
 * ```
 * @module
 */
export { type Model, model, MODEL_NAMES } from "./published.ts";
export { type ModelRow, type ModelsOptions, simulateModels } from "./simulate.ts";
