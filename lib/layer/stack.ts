/** N layers as one graph, with attention and the reduction of its gradients between them. @module */
import { capacity, type Layer } from "../blocks/mod.ts";
import { checkPlacedWorld, paddedPlaces, splitOf, splitRows } from "../chunking/slot_loads.ts";
import { checkedSplit } from "../chunking/split.ts";
import type { Engine } from "../engine.ts";
import { backwardStack, forwardStack, type StackShape } from "../graph/layers.ts";
import type { PassOptions } from "../graph/mod.ts";
import { layerTensors, TensorTable } from "../memory/mod.ts";
import { acrossLayers } from "../schedulers/across_layers.ts";
import type { MachineProfile } from "../profile/mod.ts";
import { type Chunk, type Pass, SchemoeError, type TaskGraph } from "../types.ts";
import {
  type PassChoices,
  reassociates,
  resolveChoices,
  type ResolvedChoices,
  splitLike,
} from "./choices.ts";
import { layerSetup } from "./auto/layer_setup.ts";
import type { AutoOptions } from "./auto/options.ts";
import { predictingEngine } from "./auto/predicting_engine.ts";
import { AutoTuner, type Tuning } from "./auto/tuner.ts";
import { configurationOf } from "./configuration.ts";
import { GraphRunner } from "./graph_runner.ts";
import { MemoryReport } from "./memory_report.ts";
import { resultsOf } from "./results.ts";
import { Run } from "./run.ts";
import { TensorStore } from "./store.ts";

/** Layers with their tensors on an engine, as `createStack` makes them. */
export class MoeStack {
  readonly #tensors: TensorStore;
  readonly #runner: GraphRunner;
  #kept?: readonly Chunk[];
  #autoTuner?: AutoTuner;
  /**
   * What `scheduler: "auto"` goes by, as of a layer: the first passes try the candidates that are predicted to be best
   * for the whole stack, later ones keep to the one that was fastest; times that drift begin anew.
   */
  auto: AutoOptions = {};

  constructor(
    readonly engine: Engine,
    readonly layer: Layer,
    readonly shape: StackShape,
    readonly seed: number,
  ) {
    checkPlacedWorld(layer, engine.representatives);
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

  /** What `scheduler: "auto"` has tried and chosen, pass by pass. */
  get tuning(): Tuning {
    return this.#tuner.tuning;
  }

  get #tuner(): AutoTuner {
    return this.#autoTuner ??= new AutoTuner(
      layerSetup(this.layer, (profile) => predictingStack(this, profile)),
    );
  }

  /** Bytes of each tensor and buffer on a rank, of the passes that have run, and which share memory. */
  memory(): MemoryReport {
    return new MemoryReport(this.#tensors.table, this.#runner.planned);
  }

  /** All layers, first to last. */
  forward(choices: PassChoices = {}): Promise<Run> {
    if (choices?.scheduler === "auto") return this.#tuned("forward", choices);
    return this.#tensors.reading(async () => {
      const resolved = resolveChoices(choices, []);
      const pass = this.#pass(resolved, "forward");
      await this.#tensors.waitFor(["x", ...Object.keys(this.parameters)], choices);
      this.#kept = undefined;
      this.#tensors.overwrite(["y"]);
      const run = await this.#run(resolved, choices, pass, () => forwardStack(pass, this.shape));
      this.#kept = pass.chunks;
      const results = await resultsOf(this.#tensors, { run: run.name, names: ["y"] }, choices);
      return new Run({ ...run, results });
    });
  }

  /**
   * All layers, last to first; gradients are named like the parameters, and `x`.
   * @throws {SchemoeError} when there was no forward pass.
   */
  backward(choices: PassChoices = {}): Promise<Run> {
    if (choices?.scheduler === "auto") return this.#tuned("backward", choices);
    return this.#tensors.reading(async () => {
      const forwardChunks = this.#kept;
      if (!forwardChunks) {
        throw new SchemoeError(
          "Cannot run backward: run forward first (and after setting x or parameters), it keeps what backward needs",
        );
      }
      const at = { ...this.#splitAt, chunks: choices.chunks };
      const resolved = splitLike(forwardChunks, resolveChoices(choices, []), at);
      const pass = this.#pass(resolved, "backward");
      await this.#tensors.waitFor(["dy"], choices);
      const gradientNames = Object.fromEntries(
        ["x", ...Object.keys(this.parameters)].map((name) => [name, gradientOf(name)]),
      );
      const written = Object.values(gradientNames);
      this.#tensors.overwrite(written);
      const reassociate = reassociates(resolved);
      const make = () => backwardStack({ ...pass, forwardChunks, reassociate }, this.shape);
      const run = await this.#run(resolved, choices, pass, make, forwardChunks);
      const results = await resultsOf(this.#tensors, { run: run.name, names: written }, choices);
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

  async #tuned(pass: "forward" | "backward", options: PassChoices): Promise<Run> {
    return await this.#tuner.run(pass, {
      options,
      auto: this.auto,
      run: (choices) => this[pass](choices),
    });
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
      pass.pass,
      JSON.stringify(pass.chunks),
      JSON.stringify(forwardChunks),
      allToAll,
      compressor.dispatch,
      compressor.combine,
      `${reassociates(resolved)}`,
    ];
    const known = this.#runner.graph(key, make);
    const ran = await this.#runner.run(known, acrossLayers(scheduler), {
      bound: choices.bound,
      repeats: choices.repeats,
      timeLimit: choices.timeLimit,
      signal: choices.signal,
      checkNumbers: choices.checkNumbers,
    });
    const name = choices.name ?? `${scheduler.name} on ${this.shape.layers} layers`;
    return { name, pass: pass.pass, ran: [ran], configuration: pass.configuration };
  }

  #pass(choices: ResolvedChoices, pass: Pass): PassOptions & { readonly pass: Pass } {
    const { layer, shape: { layers, gradientChunks } } = this;
    const rows = this.#rows;
    const chunks = checkedSplit(choices.chunking, this.#splitAt);
    const { allToAll, compressor } = choices;
    return {
      pass,
      layer,
      ...splitRows(layer, rows, chunks),
      chunks,
      allToAll,
      compressor,
      configuration: {
        pass,
        layers,
        gradientChunks,
        ...configurationOf(choices, {
          layer,
          engine: this.engine,
          capacity: rows.capacity,
          chunks,
        }),
      },
    };
  }

  get #rows() {
    return paddedPlaces(this.layer, capacity(this.layer, 0));
  }

  get #splitAt() {
    return splitOf(this.layer, this.#rows);
  }
}

/** A stack like this one on a simulator of its world, or of the one that a profile found. */
export function predictingStack(
  { engine, layer, shape, seed }: MoeStack,
  profile?: MachineProfile,
): MoeStack {
  const simulator = predictingEngine(engine, profile);
  return new MoeStack(simulator, { ...layer, topology: simulator.topology }, shape, seed);
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
