/** A Mixture-of-Experts language model on an engine, trained step by step. @module */
import { checkedSplit } from "../chunking/peer_groups.ts";
import { GraphRunner } from "../layer/graph_runner.ts";
import { MemoryReport } from "../layer/memory_report.ts";
import { codecName, type PassChoices, resolveChoices } from "../layer/choices.ts";
import { TensorStore } from "../layer/store.ts";
import { acrossLayers } from "../schedulers/across_layers.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { type ModelConfig, type ModelShape, resolveModel } from "./config.ts";
import { checkedStep, CHECKPOINT, checkpointTensors } from "./checkpoint.ts";
import { openSafetensors, writeSafetensors } from "../files/mod.ts";
import { lossGraph, stepGraph } from "./step_graph.ts";
import { type StepValues, TrainingStep } from "./step.ts";
import { type ModelTensors, modelTensors, moePrefix } from "./tensors.ts";

/**
 * Makes a language model of blocks: attention, then experts or one feed-forward network. Experts are spread
 * over all ranks, everything else is the same on all; each rank has sequences of its own. A step is one graph
 * of tasks (forward, backward, reduction of gradients, clipping, update), which any scheduler orders.
 *
 * An expert without capacity (`capacityFactor` 0, or dropless) has a place for every token of a rank: nothing
 * is dropped, and places without tokens are computed too.
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
 * @param options.seed of the parameters at the beginning; default 1.
 * @throws {SchemoeError} naming the field that is wrong.
 */
export function createModel(
  engine: Engine,
  config: ModelConfig,
  options: { readonly seed?: number } = {},
): MoeModel {
  if (typeof engine?.workspace !== "function") {
    throw new SchemoeError("Cannot make the model: give an engine first, as openEngine makes one");
  }
  const foreign = Object.keys(options).find((key) => key !== "seed");
  if (foreign) {
    throw new SchemoeError(`Cannot make the model: "${foreign}" is not an option (seed)`);
  }
  const { seed = 1 } = options;
  if (!Number.isSafeInteger(seed)) {
    throw new SchemoeError(`Cannot make the model: seed must be an integer, got ${seed}`);
  }
  return new MoeModel(engine, resolveModel(config, engine.topology), seed);
}

/** See {@linkcode createModel}. */
export class MoeModel {
  readonly #store: TensorStore;
  readonly #tensors: ModelTensors;
  readonly #runner: GraphRunner;
  #steps = 0;

  constructor(readonly engine: Engine, readonly shape: ModelShape, readonly seed: number) {
    this.#tensors = modelTensors(shape);
    const { table } = this.#tensors;
    this.#store = new TensorStore({ engine, table, seed, owner: "model" });
    this.#runner = new GraphRunner(engine, this.#store.workspace);
  }

  /** Names and shapes of the parameters, such as `blocks.0.attention.q` and `blocks.0.moe.experts.w1`. */
  get parameters(): Record<string, readonly number[]> {
    return this.#store.parameters;
  }

  /** Steps done. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Sets parameters, given as float32 values over all experts.
   * @throws {SchemoeError} for an unknown name or a wrong number of values, and while a step is in progress.
   */
  set(parameters: Readonly<Record<string, Float32Array>>): this {
    for (const name of Object.keys(parameters)) this.#checkName("set", name);
    this.#store.set(parameters);
    return this;
  }

  /** Values of a parameter, over all experts. @throws {SchemoeError} for an unknown name. */
  async read(name: string): Promise<Float32Array<ArrayBuffer>> {
    this.#checkName("read", name);
    await this.ready();
    return await this.#store.readAsync(name) as Float32Array<ArrayBuffer>;
  }

  /**
   * Gradient of a parameter in the last step, before clipping.
   * @throws {SchemoeError} for an unknown name, and before the first step.
   */
  async gradient(name: string): Promise<Float32Array<ArrayBuffer>> {
    this.#checkName("read the gradient of", name);
    if (this.#steps === 0 || !this.engine.computes) {
      throw new SchemoeError(`Cannot read the gradient of "${name}": no step has computed it`);
    }
    const { tensor, first, count } = this.#tensors.gradients.get(name)!;
    const whole = await this.#store.readAsync(tensor) as Float32Array<ArrayBuffer>;
    return whole.slice(first, first + count);
  }

  /**
   * Mean cross entropy of tokens as {@linkcode MoeModel.step} takes them, in nats a token; changes nothing.
   * @throws {SchemoeError} when tokens or choices are wrong, and on an engine that computes no values.
   */
  evaluate(tokens: Int32Array, choices: PassChoices = {}): Promise<number> {
    return this.#store.exclusive(async () => {
      if (!this.engine.computes) {
        throw new SchemoeError(
          `Cannot evaluate the model: the engine ${this.engine.kind} computes no values`,
        );
      }
      const given = this.#checkedTokens(tokens);
      await this.ready();
      this.#writeTokens(given);
      const { chunks, resolved, configuration } = this.#choose(choices, "forward");
      const { scheduler, allToAll, compressor } = resolved;
      const key = [
        ...["evaluate", JSON.stringify(chunks)],
        ...[allToAll, compressor.dispatch, compressor.combine],
      ];
      const options = { chunks, allToAll, compressor, configuration };
      const known = this.#runner.graph(key, () => lossGraph(this.shape, this.#tensors, options));
      await this.#runner.run(known, acrossLayers(scheduler), {
        ...{ bound: false, timeLimit: choices.timeLimit, signal: choices.signal },
      });
      return mean([...this.#store.read("loss")]) / this.shape.tokens;
    });
  }

  /**
   * Writes a checkpoint: parameters, states of the optimizer and the number of steps, as safetensors. The file is
   * replaced as a whole, so that a run that ends meanwhile leaves the one before.
   * @param metadata more texts for the file's metadata; `format`, `step` and `optimizer` are taken.
   * @throws {SchemoeError} on an engine that computes no values.
   */
  save(path: string | URL, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.#store.exclusive(async () => {
      if (!this.engine.computes) {
        throw new SchemoeError(
          `Cannot save the model: the engine ${this.engine.kind} has no values`,
        );
      }
      await this.ready();
      const { optimizer } = this.shape;
      await writeSafetensors(path, checkpointTensors(this.#store), {
        ...metadata,
        ...{ format: CHECKPOINT, step: String(this.#steps), optimizer: optimizer.name },
      });
    });
  }

  /**
   * Goes on from a checkpoint, on any number of ranks.
   * @throws {SchemoeError} when the file is none, or of a model with other tensors; nothing is changed then.
   */
  async load(path: string | URL): Promise<this> {
    using file = await openSafetensors(path);
    const step = checkedStep(file, this.#store.table, this.shape.optimizer.name);
    await this.ready();
    await this.#store.load(file, {});
    this.#steps = step;
    return this;
  }

  /** Resolves when all parameters have values; steps wait for it by themselves. */
  ready(): Promise<void> {
    return this.#store.ready();
  }

  /** Tensors and buffers on a rank: what each takes, and what shares memory. */
  memory(): MemoryReport {
    return new MemoryReport(this.#store.table, this.#runner.planned);
  }

  /**
   * One step on tokens [ranks, batch, context + 1]: the first `context` of each sequence are inputs, the last
   * `context` targets. An engine that computes no values needs none.
   * @throws {SchemoeError} before anything runs when tokens or choices are wrong.
   */
  step(tokens?: Int32Array, choices: PassChoices = {}): Promise<TrainingStep> {
    return this.#store.exclusive(async () => {
      const { optimizer, rate: rates } = this.shape;
      const { chunks, resolved, configuration } = this.#choose(choices, "step");
      const { scheduler, allToAll, compressor } = resolved;
      const given = this.engine.computes ? this.#checkedTokens(tokens) : undefined;
      await this.ready(); // while values are made, no buffer can be
      if (given) this.#writeTokens(given);
      const rate = rates.at(this.#steps);
      if (!(rate >= 0 && rate < Infinity)) {
        throw new SchemoeError(
          `Cannot run step ${this.#steps}: the rate "${rates.name}" gives ${rate}, not a number of at least 0`,
        );
      }
      if (this.engine.computes) {
        const numbers = Float32Array.from(optimizer.rates(rate, this.#steps + 1));
        this.#store.write("optimizer.rates", numbers);
      }
      const key = [JSON.stringify(chunks), allToAll, compressor.dispatch, compressor.combine];
      const known = this.#runner.graph(
        key,
        () => stepGraph(this.shape, this.#tensors, { chunks, allToAll, compressor, configuration }),
      );
      const ran = await this.#runner.run(known, acrossLayers(scheduler), {
        // measuring tasks alone would run updates that nobody asked for
        bound: this.engine.modelled && choices.bound !== false,
        ...{ timeLimit: choices.timeLimit, signal: choices.signal },
      });
      const step = this.#steps++;
      const name = choices.name ?? `${scheduler.name}, step ${step}`;
      const values = this.engine.computes && choices.results !== false ? this.#values() : undefined;
      return new TrainingStep({ name, pass: "step", ran: [ran], configuration }, {
        ...{ step, rate, values },
      });
    });
  }

  /**
   * Frees the model's buffers; the engine stays open. Closing twice, or after the engine, does nothing.
   * @throws {SchemoeError} while a step is in progress.
   */
  close(): void {
    this.#store.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #values(): StepValues {
    const { layers, tokens, topology: { ranks } } = this.shape;
    const crossEntropy = [...this.#store.read("loss")].map((sum) => sum / tokens);
    const prefixes = layers.flatMap((block, index) => "moe" in block ? [moePrefix(index)] : []);
    const auxLoss = prefixes.map((prefix) => [...this.#store.read(`${prefix}aux_loss`)]);
    const loads = prefixes.map((prefix) =>
      this.#store.read(`${prefix}gate.loads`) as ArrayBufferView as Int32Array<ArrayBuffer>
    );
    // in the total each is part of a mean over ranks and layers, whose factor its weight holds
    const weighted = auxLoss.flat();
    const times = ranks * auxLoss.length;
    return {
      ...{ crossEntropy, auxLoss: auxLoss.map((list) => list.map((value) => times * value)) },
      loss: mean(crossEntropy) + weighted.reduce((sum, value) => sum + value, 0),
      ...{ gradNorm: this.#store.read("optimizer.clip")[0], loads },
    };
  }

  #checkedTokens(tokens: Int32Array | undefined): Int32Array {
    const { batch, context, vocabulary, topology: { ranks } } = this.shape;
    const expected = ranks * batch * (context + 1);
    if (!(tokens instanceof Int32Array) || tokens.length !== expected) {
      const got = tokens instanceof Int32Array ? `${tokens.length} of them` : String(tokens);
      throw new SchemoeError(
        `Cannot run the step: tokens must be an Int32Array of shape [${ranks}, ${batch}, ` +
          `${context + 1}] (${expected}), got ${got}`,
      );
    }
    const wrong = tokens.findIndex((token) => token < 0 || token >= vocabulary);
    if (wrong >= 0) {
      throw new SchemoeError(
        `Cannot run the step: token ${wrong} is ${tokens[wrong]}, the vocabulary has ${vocabulary}`,
      );
    }
    return tokens;
  }

  #writeTokens(tokens: Int32Array): void {
    const { batch, context, topology: { ranks } } = this.shape;
    const { workspace } = this.#store;
    const count = batch * context;
    workspace.ensure({ tokens: 4 * count, targets: 4 * count });
    for (let rank = 0; rank < ranks; rank++) {
      const inputs = new Int32Array(count), targets = new Int32Array(count);
      for (let b = 0; b < batch; b++) {
        const from = (rank * batch + b) * (context + 1);
        inputs.set(tokens.subarray(from, from + context), b * context);
        targets.set(tokens.subarray(from + 1, from + context + 1), b * context);
      }
      workspace.write("tokens", rank, inputs);
      workspace.write("targets", rank, targets);
    }
  }

  #checkName(what: string, name: string): void {
    if (Object.hasOwn(this.parameters, name)) return;
    throw new SchemoeError(
      `Cannot ${what} "${name}": the model has ${Object.keys(this.parameters).join(", ")}`,
    );
  }

  /** What is chosen for a pass: chunks of each Mixture-of-Experts layer, and its configuration for captions. */
  #choose(choices: PassChoices, pass: "forward" | "step") {
    const { topology, layers, vocabulary, context, batch, modelDim, optimizer } = this.shape;
    const resolved = resolveChoices(choices, []);
    const { scheduler, allToAll, compressor, chunking } = resolved;
    const chunks = layers.flatMap((block) =>
      "moe" in block ? [checkedSplit(chunking, { capacity: block.places, topology })] : []
    );
    const configuration = {
      ...{ pass, layers: layers.length, scheduler: scheduler.name, allToAll: allToAll.name },
      ...{ compressor: codecName(compressor), chunks: chunks[0]?.length ?? 1 },
      world: `${topology.nodes} x ${topology.ranksPerNode}`,
      ...{ tokens: `${batch} x ${context} a rank`, modelDim, vocabulary },
      optimizer: optimizer.name,
      engine: `${this.engine.kind}, ${this.engine.timing}`,
    };
    return { chunks, resolved, configuration };
  }
}

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
