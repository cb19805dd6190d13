/** N layers as one graph, with attention and the reduction of its gradients between them. @module */
import { aLayer, anEngine, expect, record, something } from "../arguments/mod.ts";
import type { Layer } from "../blocks/mod.ts";
import { checkPlacedWorld } from "../chunking/slot_loads.ts";
import type { Engine } from "../engine.ts";
import type { StackShape } from "../graph/layers.ts";
import { layerTensors, TensorTable } from "../memory/mod.ts";
import type { MachineProfile } from "../profile/mod.ts";
import { SchemoeError } from "../types.ts";
import { checkAuto, checkSameDispatch, likeForward } from "./check_dispatch.ts";
import type { PassChoices, ResolvedChoices } from "./choices.ts";
import { resolveChoices } from "./resolve_choices.ts";
import { splitLike } from "./split_choice.ts";
import { layerSetup } from "./auto/layer_setup.ts";
import type { AutoOptions } from "./auto/options.ts";
import { predictingEngine } from "./auto/predicting_engine.ts";
import { AutoTuner } from "./auto/tuner.ts";
import type { Tuning } from "./auto/tuning.ts";
import { inspected } from "./inspected.ts";
import { MemoryReport } from "./memory_report.ts";
import { promisedRun } from "./promised_run.ts";
import { resultsOf } from "./results.ts";
import { Run } from "./run.ts";
import { type KeptOfStack, StackPrograms } from "./stack_programs.ts";
import { TensorStore } from "./store.ts";

const PREDICTING_STACK_STACK = record("a stack, such as createStack(engine, config)", {
  engine: anEngine,
  layer: aLayer,
  shape: something,
});

/** Layers with their tensors on an engine, as `createStack` makes them. */
export class MoeStack {
  readonly #tensors: TensorStore;
  readonly #programs: StackPrograms;
  #kept?: KeptOfStack;
  #autoTuner?: AutoTuner;
  /**
   * What `scheduler: "auto"` goes by, as of a layer: the first passes try the candidates that are predicted to be best
   * for the whole stack, and what Tutel's search tries, later ones keep to the one that was fastest; times that drift begin anew.
   */
  auto: AutoOptions = {};

  /** Made by {@linkcode createStack}. */
  constructor(
    readonly engine: Engine,
    readonly layer: Layer,
    readonly shape: StackShape,
    readonly seed: number,
  ) {
    expect("new MoeStack", "engine", engine, anEngine);
    expect("new MoeStack", "layer", layer, aLayer);
    expect("new MoeStack", "shape", shape, something);
    checkPlacedWorld(layer, engine.representatives);
    const table = stackTensors(layer, shape.layers);
    this.#tensors = new TensorStore({ engine, table, seed, owner: "stack" });
    const { workspace } = this.#tensors;
    this.#programs = new StackPrograms({ engine, layer, shape, workspace });
  }

  /** What `console.log` and a notebook print of it. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  /** Sizes, engine, world and number of parameters, as lines of text. */
  toString(): string {
    const { engine, layer, shape, parameters } = this;
    const what = `MoeStack of ${shape.layers} layers`;
    return inspected({ what, layers: [layer], engine, parameters });
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
    return new MemoryReport(this.#tensors.table, this.#programs.planned);
  }

  /** All layers, first to last. */
  forward(choices: PassChoices = {}): Promise<Run> {
    if (choices?.scheduler === "auto") return promisedRun(this.#tuned("forward", choices));
    return promisedRun(this.#tensors.reading(async () => {
      const resolved = resolveChoices(choices, []);
      const pass = this.#programs.pass(resolved, "forward");
      await this.#tensors.waitFor(["x", ...Object.keys(this.parameters)], choices);
      this.#kept = undefined;
      this.#tensors.overwrite(["y"]);
      const { ran, kept } = await this.#programs.forward(pass, resolved, choices);
      this.#kept = kept;
      const name = this.#nameOf(choices, resolved);
      const results = await resultsOf(this.#tensors, { run: name, names: ["y"] }, choices);
      const { configuration } = pass;
      return new Run({ name, pass: "forward", ran, configuration, results });
    }));
  }

  /**
   * All layers, last to first; gradients are named like the parameters, and `x`.
   * @throws {SchemoeError} when there was no forward pass.
   */
  backward(choices: PassChoices = {}): Promise<Run> {
    if (choices?.scheduler === "auto") {
      return promisedRun(this.#tuned("backward", likeForward(choices, this.#kept)));
    }
    return promisedRun(this.#tensors.reading(async () => {
      const kept = this.#kept;
      if (!kept) {
        throw new SchemoeError(
          "Cannot run backward: run forward first (and after setting x or parameters), it keeps what backward needs",
        );
      }
      const given = resolveChoices(likeForward(choices, kept), []);
      checkSameDispatch(kept, given);
      const at = { ...this.#programs.splitAt, chunks: choices.chunks };
      const resolved = splitLike(kept.chunks, given, at);
      const pass = this.#programs.pass(resolved, "backward");
      await this.#tensors.waitFor(["dy"], choices);
      const gradientNames = Object.fromEntries(
        ["x", ...Object.keys(this.parameters)].map((name) => [name, gradientOf(name)]),
      );
      const written = Object.values(gradientNames);
      this.#tensors.overwrite(written);
      const ran = await this.#programs.backward(pass, kept, { resolved, choices });
      const name = this.#nameOf(choices, resolved);
      const results = await resultsOf(this.#tensors, { run: name, names: written }, choices);
      const { configuration } = pass;
      return new Run({ name, pass: "backward", ran, configuration, results, gradientNames });
    }));
  }

  /**
   * Frees the stack's buffers; the engine stays open. Closing twice, or after the engine, does nothing.
   * @throws {SchemoeError} while a pass is in progress.
   */
  close(): void {
    this.#tensors.close();
  }

  /** Closes it at the end of a `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #nameOf(choices: PassChoices, { scheduler }: ResolvedChoices): string {
    return choices.name ?? `${scheduler.name} on ${this.shape.layers} layers`;
  }

  async #tuned(pass: "forward" | "backward", options: PassChoices): Promise<Run> {
    checkAuto(options);
    return await this.#tuner.run(pass, {
      options,
      auto: this.auto,
      run: (choices) => this[pass](choices),
    });
  }
}

/** A stack like this one on a simulator of its world, or of the one that a profile found. */
export function predictingStack(stack: MoeStack, profile?: MachineProfile): MoeStack {
  expect("predictingStack", "stack", stack, PREDICTING_STACK_STACK);
  const { engine, layer, shape, seed } = stack;
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
