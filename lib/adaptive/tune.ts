/** Chooses how a layer runs: by simulation and bounds, then by measuring what is left. @module */
import type { LayerConfig } from "../blocks/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import type { Engine } from "../engine.ts";
import {
  candidateName,
  candidatesOf,
  createLayer,
  type Grid,
  MoeLayer,
  predictingLayer,
  rankCandidates,
  routedLoads,
} from "../layer/mod.ts";
import { type MachineProfile, median, profileCosts } from "../profile/mod.ts";
import { progress } from "../timeline/mod.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean } from "../words.ts";
import { allowedCodecs } from "./codec_error.ts";
import { race } from "./race.ts";
import { type PassTuning, Tuned } from "./tune_result.ts";

/** What may be chosen, and what finding out may cost. */
export interface TuneOptions extends Omit<Grid, "compressors"> {
  /** Where a layer runs that is given by its sizes. */
  readonly engine?: Engine;
  /** What predicts, as `calibrate` makes it; default the cost model of the engine's topology. */
  readonly profile?: MachineProfile;
  /** What measuring may take: seconds, default 30, and runs of passes, default as many as it needs. */
  readonly budget?: { readonly seconds?: number; readonly runs?: number };
  /** Relative error of output and gradients up to which codecs may be chosen; default 0: none. */
  readonly error?: number;
  /** Codecs that are considered where an error is allowed; default all built-in ones. */
  readonly codecs?: readonly (Compressor | string)[];
  /** Candidates of each pass that are measured, default 6, and how often at most, default 5. */
  readonly finalists?: number;
  readonly repeats?: number;
}

const OPTIONS = [
  "engine",
  "profile",
  "budget",
  "error",
  "codecs",
  "finalists",
  "repeats",
  "schedulers",
  "allToAlls",
  "chunks",
];
const SECONDS = 30;
const FINALISTS = 6;
const REPEATS = 5;
/** Predictions may be off by that much before a graph is left out for its bound. */
const MARGIN = 0.1;

/**
 * Chooses scheduler, all-to-all, codec and number of chunks, of forward and backward apart: every combination is
 * bounded, those whose bound is below the best prediction are simulated, and the best are measured in turn until one
 * is left or the budget is spent.
 *
 * ```ts
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import { tune } from "@schemoe/lab/adaptive";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4 });
 * const tuned = await tune(layer, { budget: { seconds: 5 } });
 * await layer.forward(tuned.forward);
 * await layer.backward(tuned.backward);
 * console.assert(tuned.regret.forward >= 0);
 * ```
 * @param layer one that runs, or its sizes with an `engine`.
 * @throws {SchemoeError} naming an unknown option, and for a budget of nothing.
 */
export async function tune(
  layer: MoeLayer | LayerConfig,
  options: TuneOptions = {},
): Promise<Tuned> {
  const foreign = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (foreign) {
    fail(`"${foreign}" is not an option (${OPTIONS.join(", ")})${didYouMean(foreign, OPTIONS)}`);
  }
  if (layer instanceof MoeLayer) {
    if (options.engine && options.engine !== layer.engine) fail("the layer has another engine");
    return await new Tuner(layer, options).run();
  }
  if (!options.engine) fail("give an engine beside the sizes of a layer");
  using made = createLayer(options.engine, layer);
  return await new Tuner(made, options).run();
}

class Tuner {
  readonly #begin = performance.now();
  readonly #seconds: number;
  readonly #runs: number;
  #ran = 0;

  constructor(readonly layer: MoeLayer, readonly options: TuneOptions) {
    const { seconds = SECONDS, runs = Infinity } = options.budget ?? {};
    if (!(seconds > 0 && runs >= 1)) fail(`the budget of ${seconds} s and ${runs} runs is none`);
    this.#seconds = seconds;
    this.#runs = runs;
  }

  async run(): Promise<Tuned> {
    const { layer, options: { error = 0, codecs, profile } } = this;
    const allowed = await allowedCodecs(layer, error, codecs);
    // where the gate decides how many places there are, it has to run once
    const first = await layer.forward({ results: false });
    const capacity = Number(first.configuration.capacity);
    const loads = layer.layer.dropless ? routedLoads(layer.layer, first) : undefined;
    const predicted = predictingLayer(layer, profile);
    const forward = await this.#pass("forward", {
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
    await layer.forward({ ...forward.chosen.choices, results: false });
    const both = layer.layer.expert.inputGrad && layer.layer.expert.weightGrad;
    const backward = both
      ? await this.#pass("backward", { predicted, capacity, codecs: allowed.backward })
      : undefined;
    const seconds = (performance.now() - this.#begin) / 1e3;
    return new Tuned({ forward, backward, errors: allowed.errors, runs: this.#ran, seconds });
  }

  async #pass(pass: "forward" | "backward", { predicted, capacity, loads, codecs }: {
    readonly predicted: MoeLayer;
    readonly capacity: number;
    readonly loads?: readonly (readonly number[])[];
    readonly codecs: readonly (Compressor | string)[];
  }): Promise<PassTuning> {
    const { layer, options } = this;
    const { schedulers, allToAlls, chunks, finalists = FINALISTS, repeats = REPEATS } = options;
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
    const margin = { margin: MARGIN, ...(loads ? { loads } : {}) };
    const { ranked, pruned, simulated } = await rankCandidates(predicted, pass, all, margin);
    const final = ranked.slice(0, finalists);
    const line = progress(final.length * repeats, `tune ${pass}`);
    const share = pass === "forward" ? 0.5 : 1;
    const before = this.#ran;
    const measured = await race(final, async ({ choices }) => {
      this.#ran++;
      const run = await layer[pass]({ ...choices, results: false });
      line.advance(1, candidateName(choices));
      return run;
    }, {
      repeats,
      // each pass gets half of the budget, the later one what is left, and one run in any case
      mayRun: () =>
        this.#ran === before ||
        this.#ran < share * this.#runs &&
          performance.now() - this.#begin < 1e3 * share * this.#seconds,
    });
    await line.done();
    const rows = ranked.map((row, i) => ({ ...row, measured: measured[i] ?? [] }));
    const ran = rows.filter((row) => row.measured.length > 0);
    return { pass, rows, pruned, simulated, candidates: all.length, chosen: bestOf(ran) };
  }
}

const bestOf = (rows: PassTuning["rows"]) =>
  rows.reduce((best, row) => median(row.measured) < median(best.measured) ? row : best);

function fail(problem: string): never {
  throw new SchemoeError(`Cannot tune: ${problem}`);
}
