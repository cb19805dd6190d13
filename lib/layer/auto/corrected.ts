/** Predictions corrected by what trials took. @module */
import { type Candidate, nameOf } from "./grid.ts";
import { type Known, posterior } from "./gaussian.ts";
import type { Predicted } from "./predict.ts";

/** Parts of the variance of an error, in logarithms, that candidates share which have something in common. */
const COMMON = { all: 0.35, allToAll: 0.2, chunks: 0.25, scheduler: 0.1, compressor: 0.05 };
/** The part that is each candidate's own, with the noise of its runs. */
const OWN = 0.05;
/** Variance of errors before any is known, which counts as much as so many trials. */
const VARIANCE = 0.2 ** 2;
const BELIEF = 2;
/** By so many standard deviations candidates may be better than they are expected to be. */
const HOPE = 0.25;

/**
 * So many candidates and all baselines, one of each in turn, each the most promising one by what was tried until then.
 * @param options.first one that comes before all others.
 */
export function* promising(
  ranked: readonly Predicted[],
  { tried, candidates, first }: {
    readonly tried: ReadonlyMap<Predicted, number>;
    readonly candidates: number;
    readonly first?: Predicted;
  },
): Generator<Predicted> {
  const baselines = ranked.filter(({ kept }) => kept);
  if (first) yield first;
  for (let i = 0; i < Math.max(candidates, baselines.length); i++) {
    const next = i < candidates ? mostPromising(ranked, tried) : undefined;
    if (next) yield next;
    const baseline = mostPromising(baselines, tried);
    if (baseline) yield baseline;
  }
}

/**
 * The most promising candidate: errors of predictions are alike where all-to-all, chunks, scheduler or codec are, so
 * that a few trials tell how far predictions of all others can be believed. A Gaussian process over the logarithms of
 * measured over predicted times gives the expected time of each and how sure that is (Srinivas et al., ICML'10: the lower
 * end of what is likely); without any trial it is the best prediction.
 */
function mostPromising(
  candidates: readonly Predicted[],
  tried: ReadonlyMap<Predicted, number>,
): Predicted | undefined {
  const known = [...tried].map(([{ choices, seconds }, measured]): Known<Candidate> => ({
    x: choices,
    y: Math.log(measured / seconds),
  }));
  const { at, squares } = posterior(known, { kernel: alike, noise: OWN });
  const variance = (BELIEF * VARIANCE + squares) / (BELIEF + known.length);
  const least = ({ choices, seconds }: Predicted) => {
    const { expected, spread } = at(choices);
    return seconds * Math.exp(expected - HOPE * spread * Math.sqrt(variance));
  };
  let best: { readonly one: Predicted; readonly seconds: number } | undefined;
  for (const one of candidates) {
    if (tried.has(one)) continue;
    const seconds = least(one);
    if (!best || seconds < best.seconds) best = { one, seconds };
  }
  return best?.one;
}

/** Covariance of the errors of two candidates. */
function alike(a: Candidate, b: Candidate): number {
  const same = (part: "allToAll" | "scheduler" | "compressor") =>
    nameOf(a[part]) === nameOf(b[part]) ? COMMON[part] : 0;
  return COMMON.all + COMMON.chunks * Math.exp(-(distance(a.chunks, b.chunks) ** 2) / 2) +
    same("allToAll") + same("scheduler") + same("compressor");
}

/** Of numbers of chunks by their ratio; other chunkings are alike or not. */
function distance(a: Candidate["chunks"], b: Candidate["chunks"]): number {
  if (typeof a === "number" && typeof b === "number") return Math.abs(Math.log2(a / b));
  return nameOf(a) === nameOf(b) ? 0 : Infinity;
}
