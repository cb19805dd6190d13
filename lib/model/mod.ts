/**
 * Language models with Mixture-of-Experts layers, and their training.
 *
 * ```ts
 * import { createModel } from "@schemoe/lab/model";
 * import { openEngine } from "@schemoe/lab/engines";
 * import { swiglu } from "@schemoe/lab/blocks";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * using model = createModel(engine, {
 *   vocabulary: 100, context: 16, batch: 2, modelDim: 32, attention: { heads: 4, keyValueHeads: 2 },
 *   layers: [{ ffn: { hiddenDim: 64, expert: swiglu() } }, { moe: { experts: 4, hiddenDim: 32 } }],
 * });
 * console.assert((await model.step()).makespan > 0);
 * ```
 * @module
 */
export { createModel } from "./create_model.ts";
export { MoeModel } from "./model.ts";
export type { BlockConfig, DenseConfig, ModelConfig, MoeConfig } from "./model_config.ts";
export type { LayersByName, NamedModelConfig } from "./layers_by_name.ts";
export { type StepValues, TrainingStep } from "./step.ts";
export { loadMixtral } from "./mixtral.ts";
export { mixtralConfig, type MixtralJson } from "./mixtral_config.ts";
export type { DenseBlock, ModelBlock, ModelShape } from "./config.ts";
