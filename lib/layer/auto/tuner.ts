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
import { PassTuner } from "./pass_tuner.ts";
import { type PassRunner, rankCandidates } from "./predict.ts";

/** What is tuned: a pass of a layer or a stack, or a training step, whose parts have one choice. */
export type TunedPass = "forward" | "backward" | "step";

/** One line of what was done. */
export interface TuningEntry {
  /** Number of the pass that it came with, of its direction, from 1 on. */
  readonly step: number;
  /** Which pass it is about. */
  readonly pass: TunedPass;
  /**
   * What happened: candidates were ranked by simulation (`predicted`), one of them ran (`trial`), the fastest was
   * kept (`chosen`), its time moved away from what was measured (`drift`), or the gate's places an expert became
   * known or others (`routing`).
   */
  readonly event: "predicted" | "trial" | "chosen" | "drift" | "routing";
  /** In words. */
  readonly text: string;
  /** Of `trial`, `chosen` and `drift`: the candidate. */
  readonly choices?: Candidate;
  /** Of a trial or a drift: makespan of the run; of what was chosen: makespan that is expected of it. */
  readonly seconds?: number;
  /** Of a trial: what was predicted. */
  readonly predicted?: number;
}

/** What was tried and chosen. */
export interface Tuning extends Readonly<Partial<Record<TunedPass, Candidate>>> {
  /** What was done so far, in order. */
  readonly log: readonly TuningEntry[];
}

/** Predictions may be off by that much before a graph is left out for its bound. */
const MARGIN = 0.1;
/** What is routed differently by more than that is another layer. */
const ROUTING = 1.25;

/** One of each list after the other, then what is left of the longer one. */
const inTurn = <T>(list: readonly T[], others: readonly T[]): T[] =>
  Array.from({ length: Math.max(list.length, others.length) })
    .flatMap((_, i) => [...list.slice(i, i + 1), ...others.slice(i, i + 1)]);

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

/** State of one kind of pass. */
interface State {
  tuner?: PassTuner;
  /** What the user fixed himself, and what tuning goes by. */
  fixed: string;
  profile?: MachineProfile;
  /** Places of an expert, and what the routing was that it was tuned for. */
  capacity: number;
  routed: number;
  readonly recent: number[];
  step: number;
}

const newState = (): State => ({ fixed: "", capacity: NaN, routed: NaN, recent: [], step: 0 });

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
    if (fixed !== state.fixed || profile !== state.profile) state.tuner = undefined;
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
      const { expected } = state.tuner;
      const text = `takes ${(seconds / expected).toFixed(2)} times what was measured; tuned again`;
      this.#note(pass, { event: "drift", text, choices, seconds });
      state.tuner = undefined;
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
    const begin = performance.now();
    const { topology, grid: usual } = this.#setup;
    const { profile, candidates, repeats, trials, drift, ...given } = { ...DEFAULTS, ...auto };
    const grid = { ...usual, ...given };
    const predicted = this.#setup.predicted(profile);
    const loads = this.#loads;
    if (pass === "backward") {
      const { scheduler: _, ...forward } = this.best("forward") ?? {};
      await predicted.forward({ ...forward, ...(loads ? { loads } : {}), bound: false });
    }
    const direction = pass === "forward" ? pass : "backward";
    const { capacity } = this.#states[pass];
    const costs = profile ? { costs: profileCosts(profile, topology) } : {};
    const all = candidatesOf(direction, { ...costs, fixed: options, grid, topology, capacity });
    const margin = { margin: MARGIN, keep: isBaseline, ...(loads ? { loads } : {}) };
    const { ranked, pruned, simulated } = await rankCandidates(predicted, direction, all, margin);
    const best = ranked.slice(0, candidates);
    const baselines = ranked.slice(candidates).filter(({ kept }) => kept);
    const text = `${all.length} candidates, ${simulated} simulated, ${pruned.length} left out by ` +
      `their bound, ${ranked.length} distinct orders; the best ${best.length} are tried and ` +
      `${baselines.length} baselines beside them, in up to ${trials} trials ` +
      `(${(performance.now() - begin).toFixed(0)} ms)`;
    this.#note(pass, { event: "predicted", text, predicted: best[0].seconds });
    return new PassTuner(inTurn(best, baselines), { repeats, trials, drift });
  }

  #watchRouting(pass: TunedPass, run: Run, state: State): void {
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
    state.tuner = undefined;
  }

  #keepLoads(pass: TunedPass, run: Run): void {
    if (pass === "forward") this.#loads = this.#setup.loads?.(run) ?? this.#loads;
  }

  #note(pass: TunedPass, entry: Omit<TuningEntry, "step" | "pass">): void {
    this.log.push({ step: this.#states[pass].step, pass, ...entry });
  }
}
