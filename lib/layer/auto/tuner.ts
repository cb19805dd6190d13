/** `scheduler: "auto"`: passes that try out candidates and then keep to the best one. @module */
import { AWAIT } from "../../activity.ts";
import { type MachineProfile, median, profileCosts } from "../../profile/mod.ts";
import { SchemoeError, type Topology } from "../../types.ts";
import type { PassChoices } from "../choices.ts";
import type { ForwardOptions } from "../layer_options.ts";
import type { Run } from "../run.ts";
import { type Candidate, candidateName, candidatesOf, type Grid } from "./grid.ts";
import { type AutoOptions, checkAutoOptions, DEFAULTS } from "./options.ts";
import { ownChoices, written } from "./own_choices.ts";
import { isBaseline } from "./baselines.ts";
import { promising } from "./corrected.ts";
import { drifted, forget, newState, type PassState } from "./pass_state.ts";
import { PassTuner } from "./pass_tuner.ts";
import { type PassRunner, rankCandidates, type Ranking } from "./predict.ts";
import type { TunedPass, Tuning, TuningEntry } from "./tuning.ts";

/** Predictions may be off by that much before a graph is left out for its bound. */
const MARGIN = 0.1;
/** What is routed differently by more than that is another layer. */
const ROUTING = 1.25;

/** The fastest baseline beside a choice, in words; of trials that had none nothing. */
function beside({ chosen, tried, expected }: PassTuner): string {
  const baselines = tried.filter(({ kept }) => kept);
  if (baselines.length === 0) return "";
  const best = baselines.reduce((a, b) => b.measured < a.measured ? b : a);
  if (best.choices === chosen) return ", a baseline";
  return `, ${(best.measured / expected).toFixed(2)} times as fast as ${
    candidateName(best.choices)
  }`;
}

/** What passes route, and what predicts them. */
export interface AutoSetup {
  readonly topology: Topology;
  /** Places of an expert; absent where the gate decides, so that a first pass has to tell. */
  readonly places?: number;
  /** Values of choices where none are given. */
  readonly grid?: Grid;
  /** What changes with the routing of a run, a number of tokens; NaN where nothing does. */
  routed(run: Run): number;
  /** What that is, in words. */
  readonly what: string;
  /** Runs whose median tells that the routing has changed: several where each has other tokens. */
  readonly patience: number;
  /** What the gate chose, where predictions need it. */
  loads?(run: Run): ForwardOptions["loads"];
  /** Like it, where tasks take what is predicted; a step is its backward pass. */
  predicted(profile?: MachineProfile): PassRunner;
}

/** A pass that is to be run. */
export interface TunedRun<R extends Run> {
  readonly options: PassChoices;
  readonly auto: AutoOptions;
  run(choices: PassChoices): Promise<R>;
}

/** Trials of passes, of each kind by itself, and the choices they lead to. */
export class AutoTuner {
  readonly log: TuningEntry[] = [];
  readonly #setup: AutoSetup;
  readonly #states = { forward: newState(), backward: newState(), step: newState() };
  #loads?: ForwardOptions["loads"];
  #busy = false;

  constructor(setup: AutoSetup) {
    this.#setup = setup;
  }

  get tuning(): Tuning {
    const chosen = Object.entries(this.#states).flatMap(([pass, { tuner }]) =>
      tuner?.chosen ? [[pass, tuner.chosen]] : []
    );
    return { log: [...this.log], ...Object.fromEntries(chosen) };
  }

  /** Best of a kind of pass by what was measured so far; undefined before the first one. */
  best(pass: TunedPass): Candidate | undefined {
    return this.#states[pass].tuner?.next.choices;
  }

  /** Runs a pass (`run`) by the candidate whose turn it is, or by the choice. */
  async run<R extends Run>(
    pass: TunedPass,
    { options, auto, run: runBy }: TunedRun<R>,
  ): Promise<R> {
    checkAutoOptions(auto);
    if (this.#busy) {
      throw new SchemoeError(`Cannot tune the pass: the one before is in progress, ${AWAIT}`);
    }
    this.#busy = true;
    try {
      return await this.#run(pass, { options, auto, run: runBy });
    } finally {
      this.#busy = false;
    }
  }

  async #run<R extends Run>(
    pass: TunedPass,
    { options, auto, run: runBy }: TunedRun<R>,
  ): Promise<R> {
    const state = this.#states[pass];
    state.step++;
    const { profile, ...given } = auto;
    const fixed = `${written(ownChoices(options))} ${written(given)}`;
    if (fixed !== state.fixed || profile !== state.profile) forget(state);
    state.fixed = fixed;
    state.profile = profile;
    if (Number.isNaN(state.capacity)) {
      const known = pass === "backward" ? this.#states.forward.capacity : NaN;
      state.capacity = this.#setup.places ?? known;
      // where the gate decides how many places there are, a first pass has to tell
      if (Number.isNaN(state.capacity)) {
        return await this.#first(pass, await runBy({ ...options, scheduler: "sequential" }));
      }
    }
    state.tuner ??= await this.#plan(pass, options, auto);
    const { choices, why, trial, seconds: predicted, kept } = state.tuner.next;
    const what = candidateName(choices);
    const { trials: most } = { ...DEFAULTS, ...auto };
    const name = options.name ??
      (why === "trial" ? `auto, trial ${trial} of up to ${most}: ${what}` : `auto: ${what}`);
    // objects that the user made anew for this pass are those that run
    const run = await runBy({ ...options, ...choices, ...ownChoices(options), name });
    const seconds = run.makespan;
    if (why === "trial") {
      const text = kept ? `${what} (a baseline)` : what;
      this.#note(pass, { event: "trial", text, choices, seconds, predicted });
    }
    const told = state.tuner.tell(seconds);
    if (told === "chosen") {
      const chosen = state.tuner.chosen!;
      const text = `chosen after ${trial} trials: ${candidateName(chosen)}${beside(state.tuner)}`;
      this.#note(pass, { event: "chosen", text, choices: chosen, seconds: state.tuner.expected });
    }
    if (told === "drift") {
      const { expected, now } = state.tuner;
      const text = `the last ${state.patience} runs took ${(now / expected).toFixed(2)} times ` +
        "what was measured; tuned again";
      this.#note(pass, { event: "drift", text, choices, seconds: now });
      drifted(state);
    }
    this.#watchRouting(pass, run, state);
    return run;
  }

  #first<R extends Run>(pass: TunedPass, run: R): R {
    const state = this.#states[pass];
    state.capacity = state.routed = this.#setup.routed(run);
    this.#keepLoads(pass, run);
    this.#note(pass, {
      event: "routing",
      text: `the routing gives ${state.capacity} places an expert`,
    });
    return run;
  }

  async #plan(pass: TunedPass, options: PassChoices, auto: AutoOptions): Promise<PassTuner> {
    const state = this.#states[pass];
    const { candidates, repeats, trials, drift } = { ...DEFAULTS, ...auto };
    const start = performance.now();
    const known = state.ranking;
    const { ranked, pruned, simulated } = await this.#ranked(pass, options, auto);
    const baselines = ranked.filter(({ kept }) => kept);
    const found = state.ranking === known ? "as before" : `${ranked.length} distinct orders of ` +
      `${
        simulated + pruned.length
      } candidates, ${simulated} simulated, ${pruned.length} left out ` +
      `by their bound (${(performance.now() - start).toFixed(0)} ms)`;
    const text = `${found}; ${Math.min(candidates, ranked.length)} are tried and ` +
      `${baselines.length} baselines in turn with them, in up to ${trials} trials`;
    this.#note(pass, { event: "predicted", text, predicted: ranked[0].seconds });
    const before = state.before && candidateName(state.before);
    const first = ranked.find(({ choices }) => candidateName(choices) === before);
    return new PassTuner(
      (tried) => promising(ranked, { tried, candidates, first }),
      { repeats, trials, drift, recent: state.patience },
    );
  }

  /** All candidates by simulation, of which a drift changes nothing. */
  async #ranked(pass: TunedPass, options: PassChoices, auto: AutoOptions): Promise<Ranking> {
    const state = this.#states[pass];
    const { topology, grid: usual } = this.#setup;
    const { profile, candidates: _, repeats: __, trials: ___, drift: ____, ...given } = auto;
    const before = pass === "backward" ? this.best("forward") : undefined;
    const forward = before ? candidateName(before) : "";
    if (state.ranking?.forward === forward) return state.ranking.of;
    const grid = { ...usual, ...given };
    const predicted = this.#setup.predicted(profile);
    const loads = this.#loads;
    if (pass === "backward") {
      const { scheduler: _, ...choices } = before ?? {};
      await predicted.forward({ ...choices, ...(loads ? { loads } : {}), bound: false });
    }
    const direction = pass === "forward" ? pass : "backward";
    const costs = profile ? { costs: profileCosts(profile, topology) } : {};
    const { capacity } = state;
    const all = candidatesOf(direction, { ...costs, fixed: options, grid, topology, capacity });
    const how = { margin: MARGIN, keep: isBaseline, ...(loads ? { loads } : {}) };
    const of = await rankCandidates(predicted, direction, all, how);
    state.ranking = { forward, of };
    return of;
  }

  #watchRouting(pass: TunedPass, run: Run, state: PassState): void {
    this.#keepLoads(pass, run);
    const { patience, what, places } = this.#setup;
    const routed = this.#setup.routed(run);
    if (!(routed > 0)) return;
    const { recent } = state;
    recent.push(routed);
    if (recent.length > patience) recent.shift();
    if (recent.length < patience) return;
    const now = median(recent);
    if (Number.isNaN(state.routed)) state.routed = now;
    const ratio = now / state.routed;
    if (ratio <= ROUTING && ratio >= 1 / ROUTING) return;
    this.#note(pass, {
      event: "routing",
      text: `${state.routed} ${what} became ${now}; tuned again`,
    });
    state.routed = now;
    state.capacity = places ?? now;
    forget(state);
  }

  #keepLoads(pass: TunedPass, run: Run): void {
    if (pass === "forward") this.#loads = this.#setup.loads?.(run) ?? this.#loads;
  }

  #note(pass: TunedPass, entry: Omit<TuningEntry, "step" | "pass">): void {
    this.log.push({ step: this.#states[pass].step, pass, ...entry });
  }
}
