/** All layers of a published model, as the layers of a model. @module */
import type { LayerConfig } from "../blocks/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import type { BlockConfig, ModelConfig } from "./model_config.ts";

/** Layers of a model by name: what `model(name)` of `@schemoe/lab/models` gives, scaled or not. */
export interface LayersByName {
  /** Name of the model. */
  readonly name: string;
  /** Number of layers with experts. */
  readonly layers: number;
  /** Width of a token. */
  readonly modelDim: number;
  /** Configuration of the layer of a number, from 0. */
  layer(options: { readonly tokens: number; readonly number: number }): LayerConfig;
}

/** A model whose blocks are all layers with experts of a model by name, each after attention. */
export interface NamedModelConfig extends Omit<ModelConfig, "layers" | "modelDim"> {
  /** `model("qwen3-30b-a3b").scaledTo(1 / 64)` of `@schemoe/lab/models`. */
  readonly layers: LayersByName;
  /** Default that of the layers, and no other. */
  readonly modelDim?: number;
}

/**
 * The configuration with a list of blocks, and the width that they have.
 * @throws {SchemoeError} for layers that are no list, and for another width than theirs.
 */
export function withBlocks(config: ModelConfig | NamedModelConfig): ModelConfig {
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot make the model: ${problem}`);
  };
  if (isListed(config)) return config;
  const { layers: named, modelDim } = config;
  if (typeof named?.layer !== "function") {
    fail(`layers must be a list of { moe } and { ffn }, or model("..."), got ${quoted(named)}`);
  }
  if (modelDim !== undefined && modelDim !== named.modelDim) {
    fail(`modelDim is ${quoted(modelDim)}, that of ${named.name} is ${named.modelDim}`);
  }
  const layers = Array.from({ length: named.layers }, (_, number): BlockConfig => {
    // tokens, width and type are the model's
    const { tokens: _t, modelDim: _m, dtype: _d, ...moe } = named.layer({ tokens: 1, number });
    return { moe };
  });
  return { ...config, layers, modelDim: named.modelDim };
}

const isListed = (config: ModelConfig | NamedModelConfig): config is ModelConfig =>
  Array.isArray(config.layers) && config.layers.length > 0;
