/** Mixture-of-Experts models by name, with the sizes of one layer and the groups their reports use. @module */
import { SchemoeError } from "../../types.ts";

/** One layer of a model. */
export interface Model {
  readonly name: string;
  readonly layers: number;
  readonly modelDim: number;
  readonly hiddenDim: number;
  /** Routed experts; shared ones are left out. */
  readonly experts: number;
  readonly topK: number;
  /** Ranks that hold all experts together. */
  readonly expertParallel: number;
  /** Where sizes come from, and where the groups: a report, or `assumed`. */
  readonly sources: readonly [sizes: string, groups: string];
}

const MODELS: readonly Model[] = [
  {
    ...{ name: "mixtral-8x7b", layers: 32, modelDim: 4096, hiddenDim: 14336, experts: 8, topK: 2 },
    expertParallel: 8,
    sources: ["arXiv 2401.04088, table 1", "Megatron-Core's recipe: 8 ranks"],
  },
  {
    ...{ name: "mixtral-8x22b", layers: 56, modelDim: 6144, hiddenDim: 16384, experts: 8, topK: 2 },
    expertParallel: 8,
    sources: ["config.json of mistralai/Mixtral-8x22B-v0.1", "Megatron-Core's recipe: 8 ranks"],
  },
  {
    ...{ name: "qwen3-30b-a3b", layers: 48, modelDim: 2048, hiddenDim: 768, experts: 128, topK: 8 },
    expertParallel: 16,
    sources: ["config.json of Qwen/Qwen3-30B-A3B", "Megatron-Bridge on 16 H100: 16 ranks"],
  },
  {
    ...{ name: "qwen3-235b-a22b", layers: 94, modelDim: 4096, hiddenDim: 1536, experts: 128 },
    ...{ topK: 8, expertParallel: 32 },
    sources: ["config.json of Qwen/Qwen3-235B-A22B", "assumed"],
  },
  {
    ...{ name: "gpt-oss-120b", layers: 36, modelDim: 2880, hiddenDim: 2880, experts: 128, topK: 4 },
    expertParallel: 8,
    sources: ["config.json of openai/gpt-oss-120b", "assumed"],
  },
  {
    ...{ name: "deepseek-v3", layers: 58, modelDim: 7168, hiddenDim: 2048, experts: 256, topK: 8 },
    expertParallel: 64,
    sources: ["arXiv 2412.19437, section 4.2", "the same, section 3.2: 64 ranks over 8 nodes"],
  },
  {
    ...{ name: "kimi-k2", layers: 60, modelDim: 7168, hiddenDim: 2048, experts: 384, topK: 8 },
    expertParallel: 16,
    sources: ["arXiv 2507.20534, table 2", "the same, section 2.4: 16 ranks"],
  },
];

/** Names of all models. */
export const MODEL_NAMES: readonly string[] = MODELS.map(({ name }) => name);

/**
 * A model by its name.
 *
 * ```ts
 * import { model } from "@schemoe/lab/models";
 * console.assert(model("deepseek-v3").experts === 256);
 * ```
 * @throws {SchemoeError} for an unknown name.
 */
export function model(name: string): Model {
  const found = MODELS.find((known) => known.name === name);
  if (found) return found;
  throw new SchemoeError(`Unknown model "${name}": choose one of ${MODEL_NAMES.join(", ")}`);
}
