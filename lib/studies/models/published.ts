/** Mixture-of-Experts models by name. @module */
import type { LayerConfig } from "../../blocks/mod.ts";
import { SchemoeError } from "../../types.ts";
import { didYouMean, quoted } from "../../words.ts";
import { layerOf, type ModelLayerOptions } from "./layer.ts";
import { type ModelSizes, scaled } from "./scale.ts";
import type { ModelSpec } from "./spec.ts";
import { MODELS } from "./table.ts";

/** A model: its published sizes, and layers made of them. */
export interface Model extends ModelSpec {
  /**
   * The configuration of one of its layers.
   * @throws {SchemoeError} for a number that is no layer of the model.
   */
  layer(options: ModelLayerOptions): LayerConfig;
  /**
   * The model with other sizes: a fraction of them, or the sizes given. Router, losses and experts stay.
   * @throws {SchemoeError} for a fraction that is none, an unknown size, or more choices than experts.
   */
  scaledTo(to: number | ModelSizes): Model;
}

/** Names of all models. */
export const MODEL_NAMES: readonly string[] = MODELS.map(({ name }) => name);

/**
 * A model by its name: sizes, router, losses, experts and shared experts of its layers, with their sources.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { model } from "@schemoe/lab/models";
 * console.assert(model("deepseek-v3").experts === 256);
 * const small = model("deepseek-v3").scaledTo(1 / 128);
 * using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
 * using layer = createLayer(engine, small.layer({ tokens: 32 }));
 * const { losses } = await layer.forward();
 * console.assert(losses!.sequence.length === 2);
 * ```
 * @throws {SchemoeError} for an unknown name.
 */
export function model(name: string): Model {
  const found = MODELS.find((known) => known.name === name);
  if (found) return modelOf(found);
  throw new SchemoeError(
    `Unknown model ${quoted(name)}: choose one of ${MODEL_NAMES.join(", ")}${
      didYouMean(name, MODEL_NAMES)
    }`,
  );
}

const modelOf = (spec: ModelSpec): Model => ({
  ...spec,
  layer: (options) => layerOf(spec, options),
  scaledTo: (to) => modelOf(scaled(spec, to)),
});
