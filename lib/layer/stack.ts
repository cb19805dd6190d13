/** N layers as one graph, with attention and the reduction of its gradients between them. @module */
import type { PassOptions } from "../graph/mod.ts";
import { byPeers, checkedSplit, groupsText } from "../chunking/peer_groups.ts";
import {
  capacity,
  type Layer,
  type LayerConfig,
  resolveLayer,
  routedCapacity,
} from "../blocks/mod.ts";
import { type Chunk, type Pass, SchemoeError, type TaskGraph } from "../types.ts";
import type { Engine } from "../engine.ts";
import {
  codecName,
  type PassChoices,
  resolveChoices,
  type ResolvedChoices,
  splitLike,
} from "./choices.ts";
import { GraphRunner } from "./graph_runner.ts";
import { Run } from "./run.ts";
import { type Attention, backwardStack, forwardStack, type StackShape } from "../graph/layers.ts";
import { acrossLayers } from "../schedulers/across_layers.ts";
import { layerTensors, TensorTable } from "../memory/mod.ts";
import { MemoryReport } from "./memory_report.ts";
import { Results } from "./results.ts";
import { TensorStore } from "./store.ts";

/** A stack of equal layers. */
export interface StackConfig {
  readonly layer: LayerConfig;
  readonly layers: number;
  readonly attention?: Attention;
  /** Pieces into which each reduction of attention's gradients is cut, so that others get between; default 1. */
  readonly gradientChunks?: number;
}

/**
 * Makes N layers of equal sizes, each with parameters of its own; the output of one is the input of the
 * next. A whole pass is one graph: a scheduler orders all layers, and any engine runs it.
 *
 * ```ts
 * import { createStack, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const stack = createStack(engine, {
 *   ...{ layers: 3, attention: { flops: 1e9, parameters: 1e6 }, gradientChunks: 4 },
 *   layer: { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) },
 * });
 * await stack.forward({ scheduler: "optSche", chunks: 2 });
 * const run = await stack.backward({ scheduler: "optSche", chunks: 2 });
 * console.assert(run.makespan >= run.bound!);
 * ```
 * @param options.seed of the random parameters and inputs; default 1.
 * @throws {SchemoeError} naming the field that is wrong; the capacity must not depend on the routing.
 */
export function createStack(
  engine: Engine,
  config: StackConfig,
  options: { seed?: number } = {},
): MoeStack {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot make the stack: ${problem}`);
  };
  if (typeof engine?.workspace !== "function") {
    fail("give an engine first, as openEngine makes one");
  }
  if (typeof config !== "object" || config === null) {
    fail(`give an object with layer and layers, got ${config}`);
  }
  const names = ["layer", "layers", "attention", "gradientChunks"];
  const foreign = Object.keys(config).find((key) => !names.includes(key));
  if (foreign) fail(`"${foreign}" is not one of its fields (${names.join(", ")})`);
  const { layers, attention, gradientChunks = 1 } = config;
  for (const [name, value] of Object.entries({ layers, gradientChunks })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${value}`);
    }
  }
  for (const name of ["flops", "bytes", "parameters"] as const) {
    const value = attention?.[name] ?? (name === "flops" && attention ? NaN : 0);
    if (!(value >= 0 && value < Infinity)) {
      fail(`attention.${name} must be a number of at least 0, got ${attention![name]}`);
    }
  }
  if (attention?.parameters && !Number.isInteger(attention.parameters)) {
    fail(`attention.parameters must be an integer, got ${attention.parameters}`);
  }
  const layer = resolveLayer(config.layer, engine.topology);
  if (routedCapacity(layer)) fail("a capacity that depends on the routing needs a Program a layer");
  return new MoeStack(engine, layer, { layers, attention, gradientChunks }, options.seed ?? 1);
}

/** See {@linkcode createStack}. */
export class MoeStack {
  readonly #tensors: TensorStore;
  readonly #runner: GraphRunner;
  #kept?: readonly Chunk[];

  constructor(
    readonly engine: Engine,
    readonly layer: Layer,
    readonly shape: StackShape,
    readonly seed: number,
  ) {
    const table = stackTensors(layer, shape.layers);
    this.#tensors = new TensorStore({ engine, table, seed, owner: "stack" });
    this.#runner = new GraphRunner(engine, this.#tensors.workspace);
  }

  /** Names and shapes of the parameters, such as `L0.gate.weight`. */
  get parameters(): Record<string, readonly number[]> {
    return this.#tensors.parameters;
  }

  /**
   * Sets parameters, the input `x` or the gradient `dy` of the last output.
   * @throws {SchemoeError} for an unknown name or a wrong number of values, and while a pass is in progress.
   */
  set(tensors: Readonly<Record<string, Float32Array>>): this {
    // what forward kept belongs to other values
    if (this.#tensors.set(tensors)) this.#kept = undefined;
    return this;
  }

  /** Resolves when all parameters and the input have values; passes wait for it by themselves. */
  ready(): Promise<void> {
    return this.#tensors.ready();
  }

  /** Tensors and buffers on a rank, of the passes that have run: what each takes, and what shares memory. */
  memory(): MemoryReport {
    return new MemoryReport(this.#tensors.table, this.#runner.planned);
  }

  /** All layers, first to last. */
  forward(choices: PassChoices = {}): Promise<Run> {
    return this.#tensors.exclusive(async () => {
      const resolved = resolveChoices(choices, []);
      const pass = this.#pass(resolved, "forward");
      const pending = this.#tensors.pending("x", ...Object.keys(this.parameters));
      if (pending) await pending;
      this.#kept = undefined;
      this.#tensors.overwrite(["y"]);
      const run = await this.#run(resolved, choices, pass, () => forwardStack(pass, this.shape));
      this.#kept = pass.chunks;
      return new Run({ ...run, results: await this.#resultsOf(run.name, ["y"], choices) });
    });
  }

  /**
   * All layers, last to first; gradients are named like the parameters, and `x`.
   * @throws {SchemoeError} when there was no forward pass.
   */
  backward(choices: PassChoices = {}): Promise<Run> {
    return this.#tensors.exclusive(async () => {
      const forwardChunks = this.#kept;
      if (!forwardChunks) {
        throw new SchemoeError(
          "Cannot run backward: run forward first (and after setting x or parameters), it keeps what backward needs",
        );
      }
      const at = { ...this.#splitAt, chunks: choices.chunks };
      const resolved = splitLike(forwardChunks, resolveChoices(choices, []), at);
      const pass = this.#pass(resolved, "backward");
      const pending = this.#tensors.pending("dy");
      if (pending) await pending;
      const gradientNames = Object.fromEntries(
        ["x", ...Object.keys(this.parameters)].map((name) => [name, gradientOf(name)]),
      );
      const written = Object.values(gradientNames);
      this.#tensors.overwrite(written);
      const make = () => backwardStack({ ...pass, forwardChunks }, this.shape);
      const run = await this.#run(resolved, choices, pass, make, forwardChunks);
      const results = await this.#resultsOf(run.name, written, choices);
      return new Run({ ...run, results, gradientNames });
    });
  }

  /**
   * Frees the stack's buffers; the engine stays open. Closing twice, or after the engine, does nothing.
   * @throws {SchemoeError} while a pass is in progress.
   */
  close(): void {
    this.#tensors.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What a pass left in these tensors; undefined where there are no values. */
  async #resultsOf(run: string, names: readonly string[], choices: PassChoices) {
    if (!this.engine.computes || choices.results === false) return undefined;
    const results = new Results(this.#tensors, { run, names });
    if (choices.results) await results.keep();
    return results;
  }

  async #run(
    resolved: ResolvedChoices,
    choices: PassChoices,
    pass: PassOptions & { readonly pass: Pass },
    make: () => TaskGraph,
    forwardChunks: readonly Chunk[] = [],
  ) {
    const { allToAll, compressor, scheduler } = resolved;
    const key = [
      ...[pass.pass, JSON.stringify(pass.chunks), JSON.stringify(forwardChunks)],
      ...[allToAll, compressor.dispatch, compressor.combine],
    ];
    const known = this.#runner.graph(key, make);
    const ran = await this.#runner.run(known, acrossLayers(scheduler), {
      ...{ bound: choices.bound, repeats: choices.repeats },
      ...{ timeLimit: choices.timeLimit, signal: choices.signal },
    });
    const name = choices.name ?? `${scheduler.name} on ${this.shape.layers} layers`;
    return { name, pass: pass.pass, ran: [ran], configuration: pass.configuration };
  }

  #pass(choices: ResolvedChoices, pass: Pass): PassOptions & { readonly pass: Pass } {
    const { layer, shape: { layers, gradientChunks } } = this;
    const places = capacity(layer, 0);
    const chunks = checkedSplit(choices.chunking, this.#splitAt);
    const { allToAll, compressor, scheduler } = choices;
    const { tokens, modelDim, hiddenDim, experts, topK, expert, topology } = layer;
    return {
      ...{ pass, layer, capacity: places, chunks, allToAll, compressor },
      configuration: {
        ...{ pass, layers, scheduler: scheduler.name, allToAll: allToAll.name },
        ...{ compressor: codecName(compressor), chunks: chunks.length, gradientChunks },
        ...(byPeers(chunks) ? { chunking: groupsText(chunks) } : {}),
        world: `${topology.nodes} x ${topology.ranksPerNode}`,
        ...{ tokens: `${tokens} a rank`, modelDim, hiddenDim, experts, topK, capacity: places },
        expert: expert.name,
        engine: `${this.engine.kind}, ${this.engine.timing}`,
      },
    };
  }

  get #splitAt() {
    return { capacity: capacity(this.layer, 0), topology: this.layer.topology };
  }
}

/** Input and output of the stack, and the tensors of each layer that are its own. */
function stackTensors(layer: Layer, layers: number): TensorTable {
  const one = layerTensors(layer);
  const ends = ["x", "y", "dy", "grad.x"];
  const table = new TensorTable(layer.topology.ranks)
    .addAll(one, (name) => ends.includes(name) ? name : undefined);
  for (let l = 0; l < layers; l++) {
    table.addAll(one, (name) => ends.includes(name) ? undefined : `L${l}.${name}`);
  }
  return table;
}

/** `x` -> `grad.x`, `L0.gate.weight` -> `L0.grad.gate.weight`. */
const gradientOf = (name: string): string =>
  name.includes(".") ? name.replace(/^(L\d+\.)/, "$1grad.") : `grad.${name}`;
