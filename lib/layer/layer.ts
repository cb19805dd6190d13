/**
 * A Mixture-of-Experts layer on an engine: forward and backward, with everything swappable.
 * @module
 */
import { aLayer, anEngine, expect, record } from "../arguments/mod.ts";
import { capacity as placesOf, type Layer, routedCapacity } from "../blocks/mod.ts";
import { paddedPlaces } from "../chunking/slot_loads.ts";
import type { Engine } from "../engine.ts";
import type { SafetensorsFile } from "../files/mod.ts";
import type { MachineProfile } from "../profile/mod.ts";
import { layerTensors } from "../memory/mod.ts";
import { sequential } from "../schedulers/mod.ts";
import { SchemoeError } from "../types.ts";
import { codecName, exchangeName, type PassChoices, type ResolvedChoices } from "./choices.ts";
import { configurationOf, engineFacts } from "./configuration.ts";
import { layerSetup } from "./auto/layer_setup.ts";
import type { AutoOptions } from "./auto/options.ts";
import { predictingEngine } from "./auto/predicting_engine.ts";
import { AutoTuner } from "./auto/tuner.ts";
import type { Tuning } from "./auto/tuning.ts";
import { checkAuto, checkDispatch, checkSameDispatch, likeForward } from "./check_dispatch.ts";
import { checkScoreGradient } from "../graph/score_buffers.ts";
import { Gathered, gatheredLoads } from "./gathered.ts";
import { GraphRunner } from "./graph_runner.ts";
import type { BackwardOptions, ForwardOptions } from "./layer_options.ts";
import type { LoadOptions } from "./load.ts";
import { inspected } from "./inspected.ts";
import { MemoryReport } from "./memory_report.ts";
import { type Kept, type Likely, PassGraphs } from "./pass_graphs.ts";
import { passRows } from "./pass_rows.ts";
import { promisedRun } from "./promised_run.ts";
import { resolveChoices } from "./resolve_choices.ts";
import { resultsOf } from "./results.ts";
import { type RanProgram, Run } from "./run.ts";
import { splitLike } from "./split_choice.ts";
import { TensorStore } from "./store.ts";
import type { TensorValues } from "./transfer.ts";
import { didYouMean } from "../words.ts";

const PREDICTING_LAYER_LAYER = record("a layer, such as createLayer(engine, sizes)", {
  engine: anEngine,
  layer: aLayer,
});

/** Tensors that a forward pass writes for its user. */
const outputsOf = ({ losses }: Layer): readonly string[] => [
  "y",
  "aux_loss",
  "gate.loads",
  "gate.choices",
  ...losses.map(({ name }) => `loss.${name}`),
];

/** A layer with its tensors on an engine, as `createLayer` makes it. */
export class MoeLayer {
  readonly #tensors: TensorStore;
  readonly #runner: GraphRunner;
  readonly #graphs: PassGraphs;
  readonly #gathered: Gathered;
  /** Names of what a forward pass reads and writes, and of its gradients by what they are of. */
  readonly #inputs: readonly string[];
  readonly #outputs: readonly string[];
  readonly #gradients: Readonly<Record<string, string>>;
  readonly #written: readonly string[];
  /**
   * What `scheduler: "auto"` goes by: a profile that predicts, what it may choose from, how much it tries. The first
   * passes try the candidates that are predicted to be best and, whatever is predicted, what Tutel's own search tries;
   * later ones keep to the one that was fastest; another number of places an expert, or times that drift, begin anew.
   * `tuning.log` tells all of it. What the options of a pass name stays as it is:
   * without a codec there no codec is chosen. Outputs have the same bits under each choice at equal chunks;
   * where the options give chunks, no scheduler with chunks of its own (`fasterMoE`) is tried.
   */
  auto: AutoOptions = {};
  #kept?: Kept;
  #autoTuner?: AutoTuner;

  /** Made by {@linkcode createLayer}. */
  constructor(readonly engine: Engine, readonly layer: Layer, readonly seed: number) {
    expect("new MoeLayer", "engine", engine, anEngine);
    expect("new MoeLayer", "layer", layer, aLayer);
    this.#tensors = new TensorStore({ engine, table: layerTensors(layer), seed, owner: "layer" });
    this.#runner = new GraphRunner(engine, this.#tensors.workspace);
    this.#graphs = new PassGraphs({ engine, layer, runner: this.#runner });
    this.#gathered = new Gathered({ engine, layer, workspace: this.#tensors.workspace });
    this.#inputs = ["x", ...this.#tensors.table.names("parameter")];
    this.#outputs = outputsOf(layer);
    this.#gradients = Object.fromEntries(this.#inputs.map((name) => [name, `grad.${name}`]));
    this.#written = Object.values(this.#gradients);
  }

  /** What `console.log` and a notebook print of it. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  /** Sizes, engine, world and number of parameters, as lines of text. */
  toString(): string {
    const { engine, layer, parameters } = this;
    return inspected({ what: "MoeLayer", layers: [layer], engine, parameters });
  }

  /** Names and shapes of the parameters: `gate.weight` and `experts.*`, experts being the first dimension. */
  get parameters(): Record<string, readonly number[]> {
    return this.#tensors.parameters;
  }

  /**
   * Sets parameters, `x` or `dy`, given as float32 values over all ranks and experts.
   * @throws {SchemoeError} for an unknown name or a wrong number of values, and while a pass is in progress.
   */
  set(tensors: Readonly<Record<string, Float32Array | Int32Array>>): this {
    // what forward kept belongs to other values
    if (this.#tensors.set(tensors)) this.#kept = undefined;
    return this;
  }

  /**
   * Resolves when all parameters and the input have values. The engine makes them in the background as soon as
   * the layer is made; passes and reads wait for it by themselves.
   * @throws {SchemoeError} when there is no memory for them.
   */
  ready(): Promise<void> {
    return this.#tensors.ready();
  }

  /**
   * The values of a parameter over all experts, or of `x` or `dy`, bfloat16 as floats. For large ones
   * {@linkcode MoeLayer.read} does not hold the event loop.
   * @throws {SchemoeError} for an unknown name, and while its values are being made (await `ready()`).
   */
  get(name: string): Float32Array<ArrayBuffer> {
    this.#checkParameter(name);
    if (this.engine.computes && !this.#tensors.initializeNow(name)) {
      throw new SchemoeError(
        `Cannot get "${name}": its values are still being made; await layer.ready() first, or await layer.read("${name}")`,
      );
    }
    return this.#tensors.read(name);
  }

  /**
   * The same off the event loop, in pieces.
   * @param options.stored bfloat16 as its bits (Uint16Array) instead of floats; default false.
   */
  async read(name: string, options: { stored?: boolean } = {}): Promise<TensorValues> {
    this.#checkParameter(name);
    await this.ready();
    await this.#tensors.waitFor([name], {}); // `dy` has none before it is needed
    return await this.#tensors.readAsync(name, options);
  }

  /**
   * Writes tensors of a safetensors file, of any real type, piece by piece.
   *
   * @param file as `openSafetensors` opens it.
   * @returns the names of the tensors that were written.
   * @throws {SchemoeError} naming file and tensor: not there, another shape, a type without real numbers.
   */
  async load(file: SafetensorsFile, options: LoadOptions = {}): Promise<string[]> {
    const names = await this.#tensors.load(file, options);
    if (names.some((name) => name !== "dy")) this.#kept = undefined;
    return names;
  }

  /**
   * Measures each task of both passes alone, twice, so that runs of these choices know their distance to the
   * bound. Calls host functions and codecs again for each measurement.
   */
  async measure(choices: PassChoices = {}): Promise<{ forward: Run; backward?: Run }> {
    const forward = await this.forward({ ...choices, bound: true });
    if (!this.layer.expert.inputGrad || !this.layer.expert.weightGrad) return { forward };
    return { forward, backward: await this.backward({ ...choices, bound: true }) };
  }

  /** What `scheduler: "auto"` has tried and chosen, pass by pass. */
  get tuning(): Tuning {
    return this.#tuner.tuning;
  }

  get #tuner(): AutoTuner {
    return this.#autoTuner ??= new AutoTuner(
      layerSetup(this.layer, (profile) => predictingLayer(this, profile)),
    );
  }

  /** Bytes of each tensor and buffer on a rank, of the passes that have run, and which share memory. */
  memory(): MemoryReport {
    return new MemoryReport(this.#tensors.table, this.#runner.planned);
  }

  /**
   * Runs the layer on an input.
   * @throws {SchemoeError} before anything runs when a name, shape or chunk count is wrong.
   */
  forward(options: ForwardOptions = {}): Promise<Run> {
    if (options?.scheduler === "auto") return promisedRun(this.#tuned("forward", options));
    return promisedRun(this.#tensors.reading(async () => {
      const choices = resolveChoices(options, ["x", "loads", "routing"]);
      checkDispatch(this, choices, options);
      checkScoreGradient(this.layer, choices.compressor);
      if (options.loads && !(this.layer.dropless && !this.engine.computes)) {
        throw new SchemoeError(
          "Cannot use the loads: they are for dropless layers on an engine that computes no values; " +
            "otherwise the gate decides",
        );
      }
      const name = options.name ?? nameOf(choices);
      if (!routedCapacity(this.layer)) {
        this.#graphs.check(choices, paddedPlaces(this.layer, placesOf(this.layer, 0)));
      }
      if (options.x) this.#tensors.write("x", options.x);
      await this.#tensors.waitFor(this.#inputs, options);
      this.#kept = undefined; // a pass that fails half-way leaves nothing to go back from
      const outputs = this.#outputs;
      this.#tensors.overwrite(outputs);
      const { ran, kept } = await this.#forward(choices, options);
      this.#kept = kept;
      const configuration = this.#configuration(choices, kept);
      const setup = { layer: this.layer, choices, passes: this };
      const results = await resultsOf(this.#tensors, { run: name, names: outputs }, options);
      return new Run({ name, pass: "forward", ran, configuration, setup, results });
    }));
  }

  /**
   * Runs the backward pass of the last forward one; gradients of parameters are sums over ranks.
   * @throws {SchemoeError} when there was no forward pass.
   */
  backward(options: BackwardOptions = {}): Promise<Run> {
    if (options?.scheduler === "auto") {
      return promisedRun(this.#tuned("backward", likeForward(options, this.#kept)));
    }
    return promisedRun(this.#tensors.reading(async () => {
      const kept = this.#kept;
      const resolved = resolveChoices(likeForward(options, kept), ["dy"]);
      if (!kept) {
        throw new SchemoeError(
          "Cannot run backward: run forward first (and after setting x or parameters), it keeps what backward needs",
        );
      }
      checkSameDispatch(kept, resolved);
      checkScoreGradient(this.layer, resolved.compressor);
      const at = { ...this.#graphs.splitAt(kept), chunks: options.chunks };
      const choices = splitLike(kept.chunks, resolved, at);
      const name = options.name ?? nameOf(choices);
      const pass = this.#graphs.options(choices, kept, "backward");
      if (options.dy) this.#tensors.write("dy", options.dy);
      await this.#tensors.waitFor(["dy"], options);
      if (pass.node) await this.#gathered.write(pass.node);
      const known = this.#graphs.backward(choices, { kept, pass });
      this.#tensors.overwrite(this.#written);
      const ran = [await this.#runner.run(known, choices.scheduler, options)];
      const of = this.#configuration(choices, pass);
      const configuration = () => ({ pass: "backward", ...of() });
      const setup = { layer: this.layer, choices, passes: this };
      const written = { run: name, names: this.#written };
      const results = await resultsOf(this.#tensors, written, options);
      const made = { name, pass: "backward" as const, ran, configuration, setup, results };
      return new Run({ ...made, gradientNames: this.#gradients });
    }));
  }

  /**
   * Frees the layer's buffers; the engine stays open. Closing twice, or after the engine, does nothing.
   * @throws {SchemoeError} while a pass is in progress.
   */
  close(): void {
    this.#tensors.close();
  }

  /** Closes it at the end of a `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #checkParameter(name: string): void {
    const { table } = this.#tensors;
    const names = table.names("parameter", "state");
    if (names.includes(name) || table.names("input").includes(name)) return;
    throw new SchemoeError(
      `Cannot get "${name}": the parameters are ${names.join(", ")}${didYouMean(name, names)}`,
    );
  }

  async #tuned(pass: "forward" | "backward", options: PassChoices): Promise<Run> {
    checkAuto(options);
    return await this.#tuner.run(pass, {
      options,
      auto: this.auto,
      run: (choices) => this[pass](choices),
    });
  }

  /** Made when somebody reads it: a short pass should not wait for its caption. */
  #configuration(
    choices: ResolvedChoices,
    { capacity, chunks }: Pick<Kept, "capacity" | "chunks">,
  ): () => Run["configuration"] {
    const { layer } = this;
    const facts = engineFacts(this.engine);
    return () => configurationOf(choices, { layer, facts, capacity, chunks });
  }

  async #forward(choices: ResolvedChoices, options: ForwardOptions) {
    const ran: RanProgram[] = [];
    const gather = choices.dispatch === "node";
    const routed = routedCapacity(this.layer) || gather;
    let likely: Likely | undefined;
    if (routed) {
      const gate = this.#graphs.gate({ gather });
      const gating = this.#runner.run(gate, sequential, { ...options, repeats: 1 });
      if (!gather) likely = this.#graphs.likely(choices);
      ran.push(await gating);
    }
    const gathered = gather ? this.#gathered.take(options.routing) : undefined;
    const found = passRows({
      layer: this.layer,
      engine: this.engine,
      workspace: this.#tensors.workspace,
      given: options.loads,
      ...(gathered ? { counted: gatheredLoads(this.layer, gathered) } : {}),
    });
    if (likely && likely.rows === found) {
      ran.push(await this.#runner.run(likely.known, choices.scheduler, options));
      return { ran, kept: { ...found, chunks: likely.pass.chunks } };
    }
    const rows: Omit<Kept, "chunks"> = { ...found, ...(gathered ? { gathered } : {}) };
    const pass = this.#graphs.options(choices, rows, "forward");
    if (pass.node) await this.#gathered.write(pass.node);
    const known = this.#graphs.forward(choices, { rows, pass, gate: !routed });
    ran.push(await this.#runner.run(known, choices.scheduler, options));
    return { ran, kept: { ...rows, chunks: pass.chunks } };
  }
}

const nameOf = (choices: ResolvedChoices): string => {
  const { scheduler, compressor, chunking } = choices;
  return `${scheduler.name} + ${exchangeName(choices)} + ${
    codecName(compressor)
  }, ${chunking.name}`;
};

/** A layer like this one on a simulator of its world, or of the one that a profile found. */
export function predictingLayer(of: MoeLayer, profile?: MachineProfile): MoeLayer {
  expect("predictingLayer", "of", of, PREDICTING_LAYER_LAYER);
  const { engine, layer, seed } = of;
  const simulator = predictingEngine(engine, profile);
  return new MoeLayer(simulator, { ...layer, topology: simulator.topology }, seed);
}
