/** One layer under schedulers, all-to-alls, codecs and chunk counts, on any engine. @module */
import type { Engine } from "../../engine.ts";
import { type Pass, SchemoeError } from "../../types.ts";
import { lowerBound } from "../../costs/mod.ts";
import type { LayerConfig } from "../../blocks/mod.ts";
import { createLayer, type MoeLayer, type Run } from "../../layer/mod.ts";
import { hiddenFraction } from "../../timeline/mod.ts";
import { sharedProcessors, type Sharing } from "./causes.ts";
import { repeated } from "./values.ts";

/** A combination of choices. */
export interface Combination {
  readonly scheduler: string;
  readonly allToAll: string;
  readonly codec: string;
  readonly chunks: number;
}

/** A pass of a combination with its median time. */
export interface Measured extends Combination {
  readonly pass: Pass;
  readonly seconds: number;
  /** Of the times measured alone. */
  readonly bound: number;
  readonly boundLimit: string;
  readonly hidden: number;
  /** The run whose time is the median. */
  readonly run: Run;
}

/** Combinations to compare, and their layer. */
export interface Comparison {
  readonly schedulers: readonly string[];
  readonly allToAlls: readonly string[];
  /** `none` first: the order of the others' all-to-alls follows its times. */
  readonly codecs: readonly string[];
  readonly chunks: readonly number[];
  readonly repetitions: number;
  /** Nothing new is begun after that many seconds; only what `required` says. */
  readonly seconds: number;
  /** Processor of each rank, and how many computations it runs at once. */
  readonly sharing?: Sharing;
  readonly timeLimit?: number;
  /** Called after each measurement. */
  readonly note?: (text: string) => void;
}

/** Combinations that may fail before the comparison is given up. */
const MOST_FAILURES = 5;

/** Result of a comparison. */
export interface Compared {
  readonly measured: readonly Measured[];
  /** All-to-alls with codecs for which there was no time. */
  readonly leftOut: readonly string[];
  /** Errors of combinations that could not be run. */
  readonly failures: readonly string[];
}

const PASSES = ["forward", "backward"] as const;

/**
 * Times every combination: codec by codec, and after the first codec the all-to-alls in the order of
 * their best times, until the time is over. The first codec is always done.
 */
export async function compareSchedules(
  engine: Engine,
  config: LayerConfig,
  comparison: Comparison,
): Promise<Compared> {
  const { codecs, allToAlls, note } = comparison;
  const begin = performance.now();
  const seconds = () => (performance.now() - begin) / 1e3;
  using layer = createLayer(engine, config);
  setPatterns(layer);
  const measured: Measured[] = [];
  const leftOut: string[] = [];
  const failures: string[] = [];
  for (const [i, codec] of codecs.entries()) {
    const order = i === 0 ? allToAlls : byBestTime(measured, allToAlls);
    for (const allToAll of order) {
      if (i > 0 && seconds() > comparison.seconds) {
        leftOut.push(`${allToAll} + ${codec}`);
        continue;
      }
      for (const chunks of comparison.chunks) {
        for (const scheduler of comparison.schedulers) {
          const combination = { scheduler, allToAll, codec, chunks };
          try {
            measured.push(...await measure(layer, combination, comparison));
          } catch (error) {
            failures.push(`${scheduler} + ${allToAll} + ${codec}, ${chunks}: ${message(error)}`);
            if (failures.length > MOST_FAILURES) throw error;
          }
        }
      }
      note?.(`${allToAll} + ${codec} done after ${seconds().toFixed(1)} s`);
    }
  }
  return { measured, leftOut, failures };
}

async function measure(
  layer: MoeLayer,
  combination: Combination,
  { repetitions, sharing, timeLimit }: Comparison,
): Promise<Measured[]> {
  const { scheduler, allToAll, codec, chunks } = combination;
  const choices = {
    scheduler,
    allToAll,
    compressor: codec,
    chunks,
    results: false,
    bound: true,
    ...(timeLimit === undefined ? {} : { timeLimit }),
  };
  const found: Measured[] = [];
  for (const pass of PASSES) {
    await layer[pass](choices);
    const runs: Run[] = [];
    for (let i = 0; i < repetitions; i++) runs.push(await layer[pass](choices));
    runs.sort((a, b) => a.makespan - b.makespan);
    const run = runs[Math.floor(runs.length / 2)];
    const bound = boundOf(run, sharing);
    found.push({
      ...combination,
      pass,
      seconds: run.makespan,
      run,
      bound: bound.seconds,
      boundLimit: bound.limit,
      hidden: hiddenFraction(run.timeline),
    });
  }
  return found;
}

function message(error: unknown): string {
  if (error instanceof SchemoeError) return error.message;
  throw error;
}

/** The lower bound of a run's only Program, its ranks on shared processors. */
export function boundOf({ ran }: Run, sharing: Comparison["sharing"]) {
  const [{ program: { graph }, costs }] = ran;
  if (ran.length !== 1 || !costs) {
    throw new SchemoeError("Cannot bound the run: it is no single Program with measured costs");
  }
  return lowerBound(sharing ? sharedProcessors(graph, sharing) : graph, costs);
}

/** All-to-alls by the least time of both passes together, the fastest first. */
export function byBestTime(
  measured: readonly (Combination & { readonly seconds: number })[],
  allToAlls: readonly string[],
): string[] {
  const best = new Map<string, number>();
  for (const { combination, seconds } of bothPasses(measured)) {
    const { allToAll } = combination;
    best.set(allToAll, Math.min(best.get(allToAll) ?? Infinity, seconds));
  }
  const of = (name: string) => best.get(name) ?? Infinity;
  return allToAlls.toSorted((a, b) => of(a) - of(b));
}

/** Combinations with the sum of all that was measured of them. */
export function bothPasses<M extends Combination & { readonly seconds: number }>(
  measured: readonly M[],
): { combination: Combination; seconds: number }[] {
  const sums = new Map<string, { combination: Combination; seconds: number }>();
  for (const { scheduler, allToAll, codec, chunks, seconds } of measured) {
    const key = [scheduler, allToAll, codec, chunks].join();
    const before = sums.get(key)?.seconds ?? 0;
    const combination = { scheduler, allToAll, codec, chunks };
    sums.set(key, { combination, seconds: before + seconds });
  }
  return [...sums.values()];
}

/** Values that need no drawing of hundreds of millions of random numbers. */
function setPatterns(layer: MoeLayer): void {
  const { tokens, modelDim, topology: { ranks } } = layer.layer;
  const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const shapes = {
    ...layer.parameters,
    x: [ranks, tokens, modelDim],
    dy: [ranks, tokens, modelDim],
  };
  for (const [i, [name, shape]] of Object.entries(shapes).entries()) {
    const scale = name === "x" || name === "dy" ? 1 : 1 / Math.sqrt(modelDim);
    layer.set({ [name]: repeated(count(shape), i, scale) });
  }
}
