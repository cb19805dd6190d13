/** Fits of times to features, with how good they are. @module */
import {
  aNumber,
  anyNumber,
  expect,
  listOf,
  numbersOf,
  positive,
  record,
  someOf,
} from "../arguments/mod.ts";
import { relativeFit } from "./least_squares.ts";
import type { Sample } from "./samples.ts";
import { median, quantile, relativeSpread } from "./statistics.ts";
import type { Correction, Estimate, FitQuality } from "./types.ts";

const SAMPLES = someOf(
  record("a sample { features, seconds, noise }", {
    features: numbersOf(aNumber),
    seconds: positive,
  }),
  "samples",
);
const CORRECTED_CORRECTIONS = listOf(
  record("a correction { seconds, factor }", { seconds: aNumber, factor: aNumber }),
  "corrections",
);

/** Coefficients of a fit, one a feature. */
export interface Fitted {
  /** Coefficients, each with its interval. */
  readonly estimates: readonly Estimate[];
  /** What times of each size are multiplied by; empty where the straight fit is good enough. */
  readonly corrections: readonly Correction[];
  /** How well fit and corrections describe the samples. */
  readonly quality: FitQuality;
}

/** Parts of the samples that are left out in turn, and the width of a 90 % interval in standard errors. */
const PARTS = 10;
const INTERVAL = 1.645;
/** A sample that is off by more than this many median errors, and by more than this part, is an outlier. */
const OUTLIER = 6;
const LEAST_OUTLIER = 0.2;
/** Samples that a correction needs, and the part by which it must change something. */
const CORRECTION_SAMPLES = 5;
const LEAST_CORRECTION = 0.01;

export const dot = (features: readonly number[], values: readonly number[]): number =>
  features.reduce((sum, feature, i) => sum + feature * values[i], 0);

/** Fits seconds to features with coefficients of at least 0, errors being relative; outliers are left out. */
export function fitSamples(samples: readonly Sample[]): Fitted {
  expect("fitSamples", "samples", samples, SAMPLES);
  const coefficients = (list: readonly Sample[]) =>
    relativeFit(list.map(({ features }) => features), list.map(({ seconds }) => seconds));
  const first = coefficients(samples);
  const off = (sample: Sample, values: readonly number[]) =>
    Math.abs(dot(sample.features, values) / sample.seconds - 1);
  const limit = Math.max(LEAST_OUTLIER, OUTLIER * median(samples.map((s) => off(s, first))));
  const kept = samples.filter((sample) => off(sample, first) <= limit);
  const values = coefficients(kept);
  const corrections = correctionsOf(kept, values);
  return {
    estimates: estimatesOf(kept, values, coefficients),
    corrections,
    quality: qualityOf(kept, (features) => corrected(dot(features, values), corrections)),
  };
}

/** Seconds of a straight fit, as operations of about that size were found to take. */
export function corrected(seconds: number, corrections: readonly Correction[]): number {
  expect("corrected", "seconds", seconds, anyNumber);
  expect("corrected", "corrections", corrections, CORRECTED_CORRECTIONS);
  if (corrections.length === 0 || seconds <= 0) return seconds;
  const after = corrections.findIndex((correction) => correction.seconds >= seconds);
  if (after === 0) return seconds * corrections[0].factor;
  if (after < 0) return seconds * corrections.at(-1)!.factor;
  const [low, high] = [corrections[after - 1], corrections[after]];
  const part = Math.log(seconds / low.seconds) / Math.log(high.seconds / low.seconds);
  return seconds * (low.factor + part * (high.factor - low.factor));
}

/** Medians of measured over fitted time by powers of two of the latter. */
function correctionsOf(samples: readonly Sample[], values: readonly number[]): Correction[] {
  const bins = new Map<number, { seconds: number[]; factors: number[] }>();
  for (const { features, seconds } of samples) {
    const fitted = dot(features, values);
    if (!(fitted > 0)) continue;
    const key = Math.floor(Math.log2(fitted));
    const bin = bins.get(key) ?? { seconds: [], factors: [] };
    bins.set(key, bin);
    bin.seconds.push(fitted);
    bin.factors.push(seconds / fitted);
  }
  const found = [...bins].toSorted(([a], [b]) => a - b).map(([, bin]) => bin)
    .filter(({ factors }) => factors.length >= CORRECTION_SAMPLES)
    .map(({ seconds, factors }) => ({ seconds: median(seconds), factor: clearFactor(factors) }));
  const needed = found.some(({ factor }) => Math.abs(factor - 1) >= LEAST_CORRECTION);
  return needed ? found : [];
}

/** The median of factors, or 1 where they scatter by more than it differs from 1. */
function clearFactor(factors: readonly number[]): number {
  const factor = median(factors);
  return Math.abs(factor - 1) > relativeSpread(factors) ? factor : 1;
}

/** Intervals by the jackknife: fits without one tenth of the samples each. */
function estimatesOf(
  samples: readonly Sample[],
  values: readonly number[],
  coefficients: (list: readonly Sample[]) => number[],
): Estimate[] {
  const parts = Math.min(PARTS, samples.length);
  const fits = Array.from(
    { length: parts },
    (_, part) => coefficients(samples.filter((_, i) => i % parts !== part)),
  );
  return values.map((value, j) => {
    const mean = fits.reduce((sum, fit) => sum + fit[j], 0) / parts;
    const squares = fits.reduce((sum, fit) => sum + (fit[j] - mean) ** 2, 0);
    const width = parts < 2 ? Infinity : INTERVAL * Math.sqrt(squares * (parts - 1) / parts);
    return {
      value,
      least: Math.max(0, value - width),
      most: Number.isFinite(width) ? value + width : value * 2,
    };
  });
}

function qualityOf(
  samples: readonly Sample[],
  predict: (features: readonly number[]) => number,
): FitQuality {
  const seconds = samples.map((sample) => sample.seconds);
  const mean = seconds.reduce((a, b) => a + b, 0) / seconds.length;
  const total = seconds.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const errors = samples.map((sample) => predict(sample.features) - sample.seconds);
  const left = errors.reduce((sum, error) => sum + error ** 2, 0);
  return {
    points: samples.length,
    r2: total > 0 ? 1 - left / total : 1,
    error: median(errors.map((error, i) => Math.abs(error) / seconds[i])),
    noise: median(samples.map(({ noise }) => noise)),
    range: [quantile(seconds, 0), quantile(seconds, 1)],
  };
}
