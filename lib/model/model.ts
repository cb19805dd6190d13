/** A Mixture-of-Experts language model on an engine, trained step by step. @module */
import { anEngine, expect, listOf, record, something } from "../arguments/mod.ts";
import { checkPlacedWorld } from "../chunking/slot_loads.ts";
import type { Engine } from "../engine.ts";
import type { PassChoices } from "../layer/choices.ts";
import { checkAuto } from "../layer/check_dispatch.ts";
import type { AutoOptions } from "../layer/auto/options.ts";
import { predictingEngine } from "../layer/auto/predicting_engine.ts";
import { AutoTuner } from "../layer/auto/tuner.ts";
import type { Tuning } from "../layer/auto/tuning.ts";
import { inspected } from "../layer/inspected.ts";
import { MemoryReport } from "../layer/memory_report.ts";
import { TensorStore } from "../layer/store.ts";
import { SchemoeError } from "../types.ts";
import type { MachineProfile } from "../profile/mod.ts";
import { stepSetup } from "./auto.ts";
import { loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { chosen } from "./chosen.ts";
import type { ModelShape } from "./config.ts";
import { evaluate } from "./evaluate.ts";
import { fillTables } from "./hash.ts";
import { promisedStep, TrainingStep } from "./step.ts";
import { StepPrograms } from "./step_programs.ts";
import { stepValues } from "./step_values.ts";
import { masterOf, type ModelTensors, modelTensors } from "./tensors.ts";
import { checkedTokens, writeTokens } from "./tokens.ts";

const SHAPE = record("sizes of a model", { layers: listOf(something, "layers") });

const GRADIENT = "read the gradient of";
const GATE_STATE = /^blocks\.\d+\.moe\.gate\./;

/** A model with its tensors on an engine, as `createModel` makes it. */
export class MoeModel {
  readonly #store: TensorStore;
  readonly #tensors: ModelTensors;
  readonly #programs: StepPrograms;
  #steps = 0;
  #autoTuner?: AutoTuner;
  /**
   * What `scheduler: "auto"` goes by: what it may choose from, how much it tries, and a profile that predicts, where it
   * knows all kinds of work of the model; default the cost model of the topology.
   */
  auto: AutoOptions = {};

  /** Made by {@linkcode createModel}. */
  constructor(readonly engine: Engine, readonly shape: ModelShape, readonly seed: number) {
    expect("new MoeModel", "engine", engine, anEngine);
    expect("new MoeModel", "shape", shape, SHAPE);
    for (const block of shape.layers) {
      if ("moe" in block) checkPlacedWorld(block.moe, engine.representatives);
    }
    this.#tensors = modelTensors(shape);
    const { table } = this.#tensors;
    this.#store = new TensorStore({ engine, table, seed, owner: "model" });
    if (engine.computes) fillTables(shape, this.#store, seed);
    const { workspace } = this.#store;
    this.#programs = new StepPrograms({ engine, shape, tensors: this.#tensors, workspace });
  }

  /** What `console.log` and a notebook print of it. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  /** Sizes, engine, world and number of parameters, as lines of text. */
  toString(): string {
    const { engine, shape, parameters, steps } = this;
    const { vocabulary, context, batch, modelDim, dtype, attention: { heads }, layers } = shape;
    const what =
      `MoeModel after ${steps} ${steps === 1 ? "step" : "steps"} · vocabulary ${vocabulary} · ` +
      `context ${context} · batch ${batch} a rank · modelDim ${modelDim} · ${dtype} · ${heads} heads · ` +
      `${layers.length} ${layers.length === 1 ? "layer" : "layers"}, with experts:`;
    const moe = layers.flatMap((block) => "moe" in block ? [block.moe] : []);
    return inspected({ what, layers: moe, engine, parameters });
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
   * Sets parameters, given as float32 values over all experts, and states of gates: `blocks.0.moe.gate.selectionBias`,
   * or, as whole numbers, `blocks.0.moe.gate.table` of a gate that chooses by token number.
   * @throws {SchemoeError} for an unknown name or a wrong number of values, and while a step is in progress.
   */
  set(parameters: Readonly<Record<string, Float32Array | Int32Array>>): this {
    for (const name of Object.keys(parameters)) this.#checkName("set", name);
    const { table } = this.#tensors;
    const masters = Object.entries(parameters).map(([name, values]) => [masterOf(name), values]);
    this.#store.set({
      ...parameters,
      ...Object.fromEntries(masters.filter(([name]) => table.has(name as string))),
    });
    return this;
  }

  /** Values of a parameter, over all experts, or of a state of a gate. @throws {SchemoeError} for an unknown name. */
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
    this.#checkName(GRADIENT, name);
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
  async evaluate(tokens: Int32Array, given: PassChoices = {}): Promise<number> {
    if (given.scheduler === "auto") checkAuto(given);
    const { scheduler: _, ...others } = given;
    const choices = given.scheduler === "auto"
      ? { ...others, ...this.#autoTuner?.best("step") }
      : given;
    const { engine, shape } = this;
    const of = { engine, shape, store: this.#store, programs: this.#programs };
    const quiet = () => this.#renewNoise(0);
    return await this.#store.reading(() => evaluate({ ...of, quiet }, tokens, choices));
  }

  /**
   * Writes a checkpoint: parameters, states of the optimizer and the number of steps, as safetensors. The file is
   * replaced as a whole, so that a run that ends meanwhile leaves the one before.
   * @param metadata more texts for the file's metadata; `format`, `step`, `ranks`, `optimizer` and `crc32`, check
   * sums of its tensors, are taken.
   * @param options.finite refuses to replace the file where a value is NaN or infinite; default false.
   * @throws {SchemoeError} on an engine that computes no values.
   */
  save(
    path: string | URL,
    metadata: Readonly<Record<string, string>> = {},
    options: { readonly finite?: boolean } = {},
  ): Promise<void> {
    return this.#store.exclusive(async () => {
      if (!this.engine.computes) {
        throw new SchemoeError(
          `Cannot save the model: the engine ${this.engine.kind} has no values`,
        );
      }
      await this.ready();
      const { optimizer } = this.shape;
      const about = { step: this.#steps, optimizer: optimizer.name, metadata, ...options };
      await saveCheckpoint(this.#store, path, about);
    });
  }

  /**
   * Goes on from a checkpoint, on any number of ranks; on another one, what codecs of gradients lost in the step before
   * begins at 0. It is read twice: its check sums are compared first, where it has any.
   * @throws {SchemoeError} when the file is none, of a model with other tensors or damaged; nothing is changed then.
   */
  async load(path: string | URL): Promise<this> {
    this.#steps = await loadCheckpoint(this.#store, path, this.shape.optimizer.name);
    return this;
  }

  /** Resolves when all parameters have values; steps wait for it by themselves. */
  ready(): Promise<void> {
    return this.#store.ready();
  }

  /** Bytes of each tensor and buffer on a rank, and which share memory. */
  memory(): MemoryReport {
    return new MemoryReport(this.#store.table, this.#programs.planned);
  }

  /**
   * One step on tokens [ranks, batch, context + 1]: the first `context` of each sequence are inputs, the last
   * `context` targets. An engine that computes no values needs none.
   *
   * With `scheduler: "auto"` the first steps try the schedulers, all-to-alls and chunks that the cost model of the
   * topology, or `auto.profile`, predicts to be fastest, and what Tutel's search tries; later ones keep to the best; times that drift, and a
   * routing of dropless layers that changes, begin anew (`tuning.log`). What else is chosen stays as it is. Chunks change
   * the order of sums, so that losses are then the same to about 1e-5, not bit for bit.
   * @throws {SchemoeError} before anything runs when tokens or choices are wrong.
   */
  step(tokens?: Int32Array, choices: PassChoices = {}): Promise<TrainingStep> {
    return promisedStep(
      choices?.scheduler === "auto" ? this.#tuned(tokens, choices) : this.#step(tokens, choices),
    );
  }

  async #tuned(tokens: Int32Array | undefined, choices: PassChoices): Promise<TrainingStep> {
    checkAuto(choices);
    return await this.#tuner.run("step", {
      options: choices,
      auto: this.auto,
      run: (tried) => this.#step(tokens, tried),
    });
  }

  /** What `scheduler: "auto"` has tried and chosen. */
  get tuning(): Tuning {
    return this.#tuner.tuning;
  }

  get #tuner(): AutoTuner {
    return this.#autoTuner ??= new AutoTuner(stepSetup(this.shape, (profile) => {
      const model = predictingModel(this, profile);
      const step = (choices: PassChoices = {}) => model.step(undefined, choices);
      return { forward: step, backward: step };
    }));
  }

  #step(tokens: Int32Array | undefined, choices: PassChoices): Promise<TrainingStep> {
    return this.#store.exclusive(async () => {
      const { optimizer, rate: rates } = this.shape;
      const { resolved, configuration } = this.#choose(choices);
      const given = this.engine.computes ? checkedTokens(this.shape, tokens) : undefined;
      await this.#store.waitFor(undefined, choices); // while values are made, no buffer can be
      await this.#renewNoise(1);
      if (given) writeTokens(this.shape, this.#store.workspace, given);
      const rate = rates.at(this.#steps);
      if (!(typeof rate === "number" && rate >= 0 && rate < Infinity)) {
        throw new SchemoeError(
          `Cannot run step ${this.#steps}: the rate "${rates.name}" gives ${rate}, not a number of at least 0`,
        );
      }
      if (this.engine.computes) {
        const numbers = Float32Array.from(optimizer.rates(rate, this.#steps + 1));
        this.#store.write("optimizer.rates", numbers);
      }
      const { timeLimit, signal, checkNumbers } = choices;
      const ran = await this.#programs.run({
        kind: "step",
        choices: resolved,
        configuration,
        // measuring tasks alone would run updates that nobody asked for
        bound: this.engine.modelled && choices.bound !== false,
        ...{ timeLimit, signal, checkNumbers },
      });
      const step = this.#steps++;
      const name = choices.name ?? `${resolved.scheduler.name}, step ${step}`;
      const values = this.engine.computes && choices.results !== false
        ? stepValues(this.shape, this.#store)
        : undefined;
      return new TrainingStep({ name, pass: "step", ran, configuration }, {
        step,
        rate,
        values,
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

  /** Closes it at the end of a `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #checkName(what: string, name: string): void {
    if (Object.hasOwn(this.parameters, name) || (what !== GRADIENT && this.#isGateState(name))) {
      return;
    }
    throw new SchemoeError(
      `Cannot ${what} "${name}": the model has ${Object.keys(this.parameters).join(", ")}`,
    );
  }

  #isGateState(name: string): boolean {
    return GATE_STATE.test(name) && this.#tensors.table.names("state").includes(name);
  }

  /** Noise of gates, other in each step and none in an evaluation. */
  async #renewNoise(scale: number): Promise<void> {
    const { table } = this.#tensors;
    const names = table.names("input").filter((name) => table.get(name).deviation !== undefined);
    await this.#store.renew(names, { seed: this.seed + this.#steps, scale });
  }

  #choose(choices: PassChoices) {
    const { engine, shape } = this;
    return chosen({ engine, shape, programs: this.#programs }, choices, "step");
  }
}

/** A model like this one on a simulator of its world, or of the one that a profile found. */
function predictingModel(
  { engine, shape, seed }: MoeModel,
  profile?: MachineProfile,
): MoeModel {
  const simulator = predictingEngine(engine, profile);
  const { topology } = simulator;
  const layers = shape.layers.map((block) =>
    "moe" in block ? { ...block, moe: { ...block.moe, topology } } : block
  );
  return new MoeModel(simulator, { ...shape, topology, layers }, seed);
}
