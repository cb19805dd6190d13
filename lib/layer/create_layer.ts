/** Makes layers. @module */
import { type LayerConfig, resolveLayer, type UnevenLayerConfig } from "../blocks/mod.ts";
import type { Engine } from "../engine.ts";
import { MoeLayer } from "./layer.ts";
import { seedOf } from "./seed.ts";

/**
 * Makes a layer with random parameters on an engine.
 *
 * ```ts
 * import { createLayer, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) });
 * const run = await layer.forward({ scheduler: "optSche", allToAll: "pipe", chunks: 4 });
 * console.assert(run.verdict.startsWith("makespan"));
 * ```
 * @param options.seed of the random parameters and inputs; default 1.
 * @throws {SchemoeError} naming the field of the layer that is wrong.
 */
export function createLayer(
  engine: Engine,
  config: LayerConfig | UnevenLayerConfig,
  options: { seed?: number } = {},
): MoeLayer {
  const seed = seedOf("layer", engine, options);
  return new MoeLayer(engine, resolveLayer(config, engine.topology), seed);
}
