/** Bayesian optimisation of a few numbers: a Gaussian process and expected improvement. @module */

import { type Known, posterior } from "../../layer/auto/gaussian.ts";

/** One point that was tried, and what came of it; less is better. */
export type Tried = Known<readonly number[]>;

/** Distance over which values are alike, and the part of the variance that is noise. */
const LENGTH = 1.5;
const NOISE = 1e-3;

/**
 * Index of the candidate with the largest expected improvement that was not tried (Jones, Schonlau and Welch, Journal of
 * Global Optimization 13, 1998). The first two are the
 * first and the last one.
 */
export function nextSample(
  candidates: readonly (readonly number[])[],
  tried: readonly Tried[],
): number {
  const left = candidates.map((_, i) => i).filter((i) =>
    !tried.some(({ x }) => x.every((value, j) => value === candidates[i][j]))
  );
  if (tried.length < 2) return tried.length === 0 ? left[0] : left[left.length - 1];
  const mean = tried.reduce((sum, { y }) => sum + y, 0) / tried.length;
  const deviation =
    Math.sqrt(tried.reduce((sum, { y }) => sum + (y - mean) ** 2, 0) / tried.length) || 1;
  const values = tried.map(({ x, y }) => ({ x, y: (y - mean) / deviation }));
  const { at } = posterior(values, { kernel, noise: NOISE });
  const best = Math.min(...values.map(({ y }) => y));
  const improvement = (x: readonly number[]) => {
    const { expected, spread } = at(x);
    const z = (best - expected) / spread;
    return spread * (z * cumulative(z) + Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI));
  };
  return left.reduce((most, i) =>
    improvement(candidates[i]) > improvement(candidates[most]) ? i : most
  );
}

const kernel = (a: readonly number[], b: readonly number[]): number =>
  Math.exp(-a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / (2 * LENGTH ** 2));
/** Of the normal distribution, by a logistic curve within 0.01. */
const cumulative = (z: number): number => 1 / (1 + Math.exp(-1.702 * z));
