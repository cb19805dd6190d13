/** Makes language models. @module */
import type { Engine } from "../engine.ts";
import { seedOf } from "../layer/seed.ts";
import { resolveModel } from "./config.ts";
import type { ModelConfig } from "./model_config.ts";
import type { NamedModelConfig } from "./layers_by_name.ts";
import { MoeModel } from "./model.ts";

/**
 * Makes a language model of blocks: attention, then experts or one feed-forward network. Experts are spread
 * over all ranks, everything else is the same on all; each rank has sequences of its own. A step is one graph
 * of tasks (forward, backward, reduction of gradients, clipping, update), which any scheduler orders.
 *
 * Nothing is dropped with `routing: { capacityFactor: 0 }`: an expert then has a place for every token of a rank, and
 * places without tokens are computed too. With `routing: { dropless: true }` only the rows of tokens are computed. How
 * many there are is known after a gate. Where each takes them from what was counted, a step is one Program, the same for all
 * steps: on one rank, and on several in this process, without emulated links, paced time or NCCL, with an all-to-all that
 * takes rows straight to their receivers. Its tasks then tell work and bytes of about equal loads, and a step whose experts
 * get more rows than there is room for runs again with more. In chunks, with codecs, with experts of other kernels
 * (`Expert.counted`), with gates whose tokens have any number of choices in any of its dropless layers, and on several ranks
 * with gates of one's own it is several Programs: one up to each gate of a dropless
 * layer (of each microbatch), and one of all that follows the last of them, in which the backward pass, the reductions and
 * the updates are.
 *
 * ```ts
 * import { createModel, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
 * const model = createModel(engine, {
 *   vocabulary: 512, context: 64, batch: 4, modelDim: 128, attention: { heads: 4 },
 *   layers: [{ moe: { experts: 8, hiddenDim: 256, gate: topK({ k: 2 }) } }],
 * });
 * const step = await model.step(undefined, { scheduler: "optSche", chunks: 2 });
 * console.assert(step.makespan > 0);
 * ```
 * @param config.layers a list of blocks, or all layers with experts of a model by name, `model("...")` of
 * `@schemoe/lab/models`, scaled or not, whose width is then the model's.
 * @param options.seed of the parameters at the beginning; default 1.
 * @throws {SchemoeError} naming the field that is wrong.
 */
export function createModel(
  engine: Engine,
  config: ModelConfig | NamedModelConfig,
  options: { readonly seed?: number } = {},
): MoeModel {
  const seed = seedOf("model", engine, options);
  return new MoeModel(engine, resolveModel(config, engine.topology), seed);
}
