/** Tuning one layer or stack: simulation and bounds, then measuring what is left. @module */
import type { Compressor } from "../compressors/types.ts";
import {
  candidateName,
  candidatesOf,
  type Grid,
  MoeLayer,
  MoeStack,
  type PassRunner,
  type Predicted,
  predictingLayer,
  predictingStack,
  rankCandidates,
  routedLoads,
} from "../layer/mod.ts";
import { type MachineProfile, profileCosts } from "../profile/mod.ts";
import { sizesText, worldText } from "../timeline/chart/facts.ts";
import { progress } from "../timeline/mod.ts";
import { SchemoeError } from "../types.ts";
import { isBaseline } from "../layer/auto/baselines.ts";
import { promising } from "../layer/auto/corrected.ts";
import { type AllowedCodecs, allowedCodecs } from "./codec_error.ts";
import { race } from "./race.ts";
import type { PassTuning, TunedPasses } from "./tune_result.ts";

const FINALISTS = 6;
const REPEATS = 15;
/** Predictions may be off by that much before a graph is left out for its bound. */
const MARGIN = 0.1;
/** Milliseconds of simulating after which others run. */
const TURN = 100;

/** What may be chosen, and what finds it out. */
export interface SearchOptions extends Omit<Grid, "compressors"> {
  /** What predicts, as `calibrate` makes it; default the cost model of the engine's topology. */
  readonly profile?: MachineProfile;
  /** Relative error of output and gradients up to which codecs may be chosen; default 0: none. */
  readonly error?: number;
  /** Codecs that are considered where an error is allowed; default all built-in ones. */
  readonly codecs?: readonly (Compressor | string)[];
  /**
   * Candidates of each pass that are measured for their prediction, corrected by what those before took; default 6.
   */
  readonly finalists?: number;
  /** How often each of them runs at most; default 15, and fewer times where one is clearly best. */
  readonly repeats?: number;
  /** Ends measuring with an error when it is aborted. */
  readonly signal?: AbortSignal;
}

/** The same with what measuring may take: seconds, and runs of passes. */
export interface TunerOptions extends SearchOptions {
  readonly budget: { readonly seconds: number; readonly runs: number };
}

/** Tunes one layer or stack, as it was made. */
export class Tuner {
  readonly #begin = performance.now();
  readonly #seconds: number;
  readonly #runs: number;
  #ran = 0;
  #turned = performance.now();

  constructor(readonly layer: MoeLayer | MoeStack, readonly options: TunerOptions) {
    this.#seconds = options.budget.seconds;
    this.#runs = options.budget.runs;
  }

  /** @param known the forward pass, where it was tuned before: of a stack whose reductions were cut otherwise. */
  async run(known?: PassTuning): Promise<TunedPasses> {
    const { layer, options: { profile, signal } } = this;
    const allowed = await this.#codecs();
    // where the gate decides how many places there are, it has to run once
    const first = await layer.forward({ results: false, signal });
    const capacity = Number(first.configuration.capacity);
    const loads = layer.layer.dropless ? routedLoads(layer.layer, first) : undefined;
    const predicted = layer instanceof MoeStack
      ? predictingStack(layer, profile)
      : predictingLayer(layer, profile);
    const forward = known ?? await this.#pass("forward", {
      predicted,
      capacity,
      loads,
      codecs: allowed.forward,
    });
    await predicted.forward({
      ...forward.chosen.choices,
      ...(loads ? { loads } : {}),
      bound: false,
    });
    await layer.forward({ ...forward.chosen.choices, results: false, signal });
    const both = layer.layer.expert.inputGrad && layer.layer.expert.weightGrad;
    const backward = both
      ? await this.#pass("backward", { predicted, capacity, codecs: allowed.backward })
      : undefined;
    const seconds = (performance.now() - this.#begin) / 1e3;
    const facts = [
      sizesText(first.configuration),
      worldText(layer.layer.topology, layer.engine.timing),
    ];
    return { forward, backward, errors: allowed.errors, facts, runs: this.#ran, seconds };
  }

  /** A stack has the errors of one of its layers. */
  async #codecs(): Promise<AllowedCodecs> {
    const { layer, options: { error = 0, codecs } } = this;
    if (layer instanceof MoeLayer) return await allowedCodecs(layer, error, codecs);
    using one = new MoeLayer(layer.engine, layer.layer, layer.seed);
    return await allowedCodecs(one, error, codecs);
  }

  async #pass(pass: "forward" | "backward", { predicted, capacity, loads, codecs }: {
    readonly predicted: PassRunner;
    readonly capacity: number;
    readonly loads?: readonly (readonly number[])[];
    readonly codecs: readonly (Compressor | string)[];
  }): Promise<PassTuning> {
    const { layer, options } = this;
    const { schedulers, allToAlls, chunks, signal } = options;
    const { finalists = FINALISTS, repeats = REPEATS } = options;
    const grid = {
      schedulers,
      allToAlls,
      chunks,
      compressors: codecs,
    };
    const { topology } = layer.layer;
    const { profile } = options;
    const costs = profile ? { costs: profileCosts(profile, topology) } : {};
    const all = candidatesOf(pass, { ...costs, grid, topology, capacity });
    const ranking = progress(all.length, `tune ${pass}, simulate`);
    const { ranked, pruned, simulated } = await rankCandidates(predicted, pass, all, {
      margin: MARGIN,
      keep: isBaseline,
      ...(loads ? { loads } : {}),
      each: async (choices) => {
        ranking.advance(1, candidateName(choices));
        await this.#turn();
      },
    }).finally(() => ranking.done());
    // predictions may be wrong: nothing is chosen that others would beat without any
    const most = Math.min(finalists + ranked.filter(({ kept }) => kept).length, ranked.length);
    const line = progress(most * repeats, `tune ${pass}`);
    const tried = new Map<Predicted, number>();
    const final = promising(ranked, { tried, candidates: finalists });
    const raced = await race(final, async (one) => {
      const run = await layer[pass]({ ...one.choices, results: false, signal });
      if (!tried.has(one)) tried.set(one, run.makespan);
      this.#ran++;
      line.advance(1, candidateName(one.choices));
      return run.makespan;
    }, { repeats, left: this.#left(pass) }).finally(() => line.done());
    const ran = [...tried.keys()];
    const measured = new Map(ran.map((row, i) => [row, raced.measured[i]]));
    const rows = ranked.map((row) => ({ ...row, measured: measured.get(row) ?? [] }));
    const chosen = rows[ranked.indexOf(ran[raced.best])];
    return { pass, rows, pruned, simulated, candidates: all.length, chosen };
  }

  /** Lets others run now and then: simulations never wait, so that nothing would be shown, and no signal seen. */
  async #turn(): Promise<void> {
    const { signal } = this.options;
    if (performance.now() - this.#turned > TURN) {
      await new Promise((resolve) => setTimeout(resolve));
      this.#turned = performance.now();
    }
    if (!signal?.aborted) return;
    throw new SchemoeError("Cannot tune: it was aborted", { status: 3, cause: signal.reason });
  }

  /**
   * How many more runs of a pass the budget pays for: each pass gets half of it, the later one what is left, and one run
   * in any case.
   */
  #left(pass: "forward" | "backward"): () => number {
    const share = pass === "forward" ? 0.5 : 1;
    const [before, begin] = [this.#ran, performance.now()];
    return () => {
      const ran = this.#ran - before;
      if (ran === 0) return 1;
      const now = performance.now();
      const seconds = (now - begin) / ran;
      const time = this.#begin + 1e3 * share * this.#seconds - now;
      return Math.min(share * this.#runs - this.#ran, Math.max(0, time) / seconds);
    };
  }
}
