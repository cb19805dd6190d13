/** `scheduler: "auto"`: passes that try out candidates and then keep to the best one. @module */
import { capacity as placesOf, type Layer, routedCapacity } from "../../blocks/mod.ts";
import { type MachineProfile, profileCosts } from "../../profile/mod.ts";
import { SchemoeError } from "../../types.ts";
import { didYouMean } from "../../words.ts";
import type { PassChoices } from "../choices.ts";
import type { ForwardOptions } from "../layer_options.ts";
import type { Run } from "../run.ts";
import { type Candidate, candidateName, candidatesOf, type Grid } from "./grid.ts";
import { PassTuner } from "./pass_tuner.ts";
import { type PassRunner, rankCandidates } from "./predict.ts";

/** What `scheduler: "auto"` goes by; see {@linkcode MoeLayer.auto}. */
export interface AutoOptions extends Grid {
  /** What predicts, as `calibrate` makes it; default the cost model of the engine's topology. */
  readonly profile?: MachineProfile;
  /** Candidates that are measured, the best by prediction; default 6. */
  readonly candidates?: number;
  /** Runs of a candidate that may become the choice; default 3. */
  readonly repeats?: number;
  /** Part by which the median of five runs may leave what was measured, default 0.2; then all is tried again. */
  readonly drift?: number;
}

/** One line of what was done. */
export interface TuningEntry {
  /** Number of the pass that it came with, of its direction, from 1 on. */
  readonly step: number;
  readonly pass: "forward" | "backward";
  readonly event: "predicted" | "trial" | "chosen" | "drift" | "routing";
  /** In words. */
  readonly text: string;
  readonly choices?: Candidate;
  readonly seconds?: number;
  /** Of a trial: what was predicted. */
  readonly predicted?: number;
}

/** What was tried and chosen. */
export interface Tuning {
  readonly log: readonly TuningEntry[];
  readonly forward?: Candidate;
  readonly backward?: Candidate;
}

const OPTIONS = [
  "profile",
  "candidates",
  "repeats",
  "drift",
  "schedulers",
  "allToAlls",
  "chunks",
  "compressors",
];
const DEFAULTS = { candidates: 6, repeats: 3, drift: 0.2 };
/** Predictions may be off by that much before a graph is left out for its bound. */
const MARGIN = 0.1;
/** Another number of places than that is another layer. */
const ROUTING = 1.25;

/** State of one direction. */
interface State {
  tuner?: PassTuner;
  /** What the user fixed himself, and the places of an expert that it was tuned for. */
  fixed: string;
  capacity: number;
  step: number;
}

/** Where passes run, and a layer that predicts. */
export interface AutoSetup extends PassRunner {
  readonly layer: Layer;
  predicted(profile?: MachineProfile): PassRunner;
}

export class AutoTuner {
  readonly log: TuningEntry[] = [];
  readonly #setup: AutoSetup;
  readonly #states: Record<"forward" | "backward", State> = {
    forward: { fixed: "", capacity: NaN, step: 0 },
    backward: { fixed: "", capacity: NaN, step: 0 },
  };
  #loads?: ForwardOptions["loads"];

  constructor(setup: AutoSetup) {
    this.#setup = setup;
  }

  get tuning(): Tuning {
    const { forward, backward } = this.#states;
    return {
      log: [...this.log],
      ...(forward.tuner?.chosen ? { forward: forward.tuner.chosen } : {}),
      ...(backward.tuner?.chosen ? { backward: backward.tuner.chosen } : {}),
    };
  }

  /** Runs a pass by the candidate whose turn it is, or by the choice. */
  async run(pass: "forward" | "backward", options: PassChoices, auto: AutoOptions): Promise<Run> {
    checkOptions(auto);
    const state = this.#states[pass];
    state.step++;
    const fixed = fixedText(options);
    if (fixed !== state.fixed) state.tuner = undefined;
    state.fixed = fixed;
    const { layer } = this.#setup;
    if (!state.tuner && Number.isNaN(state.capacity)) {
      const known = this.#states.forward.capacity;
      state.capacity = pass === "backward"
        ? known
        : routedCapacity(layer)
        ? NaN
        : placesOf(layer, 0);
      // where the gate decides how many places there are, a first pass has to tell
      if (Number.isNaN(state.capacity)) return await this.#first(pass, options, state);
    }
    state.tuner ??= await this.#plan(pass, options, auto);
    const { choices, why, trial, most } = state.tuner.next;
    const what = candidateName(choices);
    const name = options.name ??
      (why === "trial" ? `auto, trial ${trial} of up to ${most}: ${what}` : `auto: ${what}`);
    const run = await this.#setup[pass]({ ...options, ...choices, name });
    const seconds = run.makespan;
    if (why === "trial") {
      const predicted = state.tuner.trials.find((one) => one.choices === choices)!.seconds;
      this.#note(pass, { event: "trial", text: what, choices, seconds, predicted });
    }
    const told = state.tuner.tell(seconds);
    if (told === "chosen") {
      const chosen = state.tuner.chosen!;
      const text = `chosen after ${trial} trials: ${candidateName(chosen)}`;
      this.#note(pass, { event: "chosen", text, choices: chosen, seconds: state.tuner.expected! });
    }
    if (told === "drift") {
      const expected = state.tuner.expected!;
      const text = `takes ${(seconds / expected).toFixed(2)} times what was measured; tuned again`;
      this.#note(pass, { event: "drift", text, choices, seconds });
      state.tuner = undefined;
    }
    this.#watchRouting(pass, run, state);
    return run;
  }

  async #first(pass: "forward" | "backward", options: PassChoices, state: State): Promise<Run> {
    const run = await this.#setup[pass]({ ...options, scheduler: "sequential" });
    state.capacity = Number(run.configuration.capacity);
    this.#keepLoads(run);
    const text = `the routing gives ${state.capacity} places an expert`;
    this.#note(pass, { event: "routing", text });
    return run;
  }

  async #plan(
    pass: "forward" | "backward",
    options: PassChoices,
    auto: AutoOptions,
  ): Promise<PassTuner> {
    const begin = performance.now();
    const { layer } = this.#setup;
    const { profile, candidates, repeats, drift, ...grid } = { ...DEFAULTS, ...auto };
    const predicted = this.#setup.predicted(profile);
    const loads = layer.dropless ? this.#loads : undefined;
    if (pass === "backward") {
      const { scheduler: _, ...forward } = this.#states.forward.tuner?.next.choices ?? {};
      await predicted.forward({ ...forward, ...(loads ? { loads } : {}), bound: false });
    }
    const { capacity } = this.#states[pass];
    const { topology } = layer;
    const costs = profile ? { costs: profileCosts(profile, topology) } : {};
    const all = candidatesOf(pass, { ...costs, fixed: options, grid, topology, capacity });
    if (all.length === 0) {
      throw new SchemoeError(
        `Cannot tune the pass: no candidate has chunks for ${capacity} places an expert`,
      );
    }
    const margin = { margin: MARGIN, ...(loads ? { loads } : {}) };
    const { ranked, pruned, simulated } = await rankCandidates(predicted, pass, all, margin);
    const tried = ranked.slice(0, candidates);
    const text = `${all.length} candidates, ${simulated} simulated, ${pruned.length} left out by ` +
      `their bound, ${ranked.length} distinct orders, the best ${tried.length} are tried ` +
      `(${(performance.now() - begin).toFixed(0)} ms)`;
    this.#note(pass, { event: "predicted", text, predicted: tried[0].seconds });
    return new PassTuner(tried, { repeats, drift });
  }

  #watchRouting(pass: "forward" | "backward", run: Run, state: State): void {
    const places = Number(run.configuration.capacity);
    this.#keepLoads(run);
    const ratio = places / state.capacity;
    if (ratio <= ROUTING && ratio >= 1 / ROUTING) return;
    const text = `${state.capacity} places an expert became ${places}; tuned again`;
    this.#note(pass, { event: "routing", text });
    state.capacity = places;
    state.tuner = undefined;
  }

  /** What the gate chose, for predictions of a dropless layer. */
  #keepLoads(run: Run): void {
    const { dropless, experts, topology: { ranks } } = this.#setup.layer;
    const loads = dropless && run.pass === "forward" ? run.loads : undefined;
    if (!loads) return;
    const rows = loads.length / ranks;
    this.#loads = Array.from(
      { length: ranks },
      (_, rank) => [...loads.subarray(rank * rows, rank * rows + experts)],
    );
  }

  #note(pass: "forward" | "backward", entry: Omit<TuningEntry, "step" | "pass">): void {
    this.log.push({ step: this.#states[pass].step, pass, ...entry });
  }
}

/** What a user chose himself, by value. */
const identities = new WeakMap<object, number>();
let objects = 0;
function fixedText({ allToAll, compressor, chunks }: PassChoices): string {
  return [allToAll, compressor, chunks].map((value) => {
    if (typeof value !== "object" || value === null) return `${value}`;
    if (!identities.has(value)) identities.set(value, objects++);
    return `#${identities.get(value)}`;
  }).join();
}

function checkOptions(auto: AutoOptions): void {
  const foreign = Object.keys(auto).find((key) => !OPTIONS.includes(key));
  if (foreign) {
    throw new SchemoeError(
      `Cannot tune the pass: "${foreign}" is not an option of auto (${OPTIONS.join(", ")})${
        didYouMean(foreign, OPTIONS)
      }`,
    );
  }
  const { candidates = 1, repeats = 1, drift = 1 } = auto;
  for (const [name, value] of Object.entries({ candidates, repeats })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new SchemoeError(`Cannot tune the pass: ${name} is ${value}, not an integer from 1 on`);
  }
  if (!(drift > 0)) throw new SchemoeError(`Cannot tune the pass: drift is ${drift}, not above 0`);
}
