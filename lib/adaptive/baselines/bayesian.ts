/** Bayesian optimisation of a few numbers: a Gaussian process and expected improvement. @module */

/** One point that was tried, and what came of it; less is better. */
export interface Tried {
  readonly x: readonly number[];
  readonly y: number;
}

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
  const values = tried.map(({ y }) => (y - mean) / deviation);
  const covariance = tried.map((a, i) =>
    tried.map((b, j) => kernel(a.x, b.x) + (i === j ? NOISE : 0))
  );
  const inverse = inverted(covariance);
  const best = Math.min(...values);
  const improvement = (x: readonly number[]) => {
    const k = tried.map((one) => kernel(x, one.x));
    const weights = inverse.map((row) => dot(row, k));
    const expected = dot(weights, values);
    const spread = Math.sqrt(Math.max(1e-12, 1 - dot(weights, k)));
    const z = (best - expected) / spread;
    return spread * (z * cumulative(z) + Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI));
  };
  return left.reduce((most, i) =>
    improvement(candidates[i]) > improvement(candidates[most]) ? i : most
  );
}

const kernel = (a: readonly number[], b: readonly number[]): number =>
  Math.exp(-a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / (2 * LENGTH ** 2));
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Of the normal distribution, by a logistic curve within 0.01. */
const cumulative = (z: number): number => 1 / (1 + Math.exp(-1.702 * z));

function inverted(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const a = matrix.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (let column = 0; column < n; column++) {
    // positive definite: its pivots are positive
    const pivot = a[column][column];
    a[column] = a[column].map((value) => value / pivot);
    for (let i = 0; i < n; i++) {
      if (i === column) continue;
      const factor = a[i][column];
      a[i] = a[i].map((value, j) => value - factor * a[column][j]);
    }
  }
  return a.map((row) => row.slice(n));
}
