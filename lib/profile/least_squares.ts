/** Least squares whose coefficients are not negative. @module */
import { aNumber, expect, listOf, numbersOf } from "../arguments/mod.ts";

const RELATIVE_FIT_FEATURES = listOf(numbersOf(aNumber), "rows of numbers");
const RELATIVE_FIT_SECONDS = numbersOf(aNumber);

/** Steps of reweighting, and the relative error below which all count alike. */
const STEPS = 12;
const SMALL = 0.002;

/**
 * Coefficients of at least 0 for which the sum of the relative errors without their signs is least, relative to the
 * larger of fit and measurement: neither a run that something held up nor one that ended at once moves it. By
 * reweighted least squares, in each of which every subset of features is solved: exact, and fast for the few there
 * are.
 */
export function relativeFit(
  features: readonly (readonly number[])[],
  seconds: readonly number[],
): number[] {
  expect("relativeFit", "features", features, RELATIVE_FIT_FEATURES);
  expect("relativeFit", "seconds", seconds, RELATIVE_FIT_SECONDS);
  const count = features[0]?.length ?? 0;
  const largest = Array.from(
    { length: count },
    (_, j) => Math.max(...features.map((row) => Math.abs(row[j]))) || 1,
  );
  // at first a measurement counts by how large its features are: a wrong one has no more weight than others
  let scales = features.map((row) => Math.hypot(...row.map((value, j) => value / largest[j])) || 1);
  let weights = features.map(() => 1);
  let values = leastSquares({ features, seconds, scales, weights });
  for (let step = 0; step < STEPS; step++) {
    const fitted = features.map((row) => row.reduce((sum, value, j) => sum + value * values[j], 0));
    scales = fitted.map((fit, i) => Math.max(fit, seconds[i]));
    weights = fitted.map((fit, i) => 1 / Math.max(SMALL, Math.abs(fit - seconds[i]) / scales[i]));
    values = leastSquares({ features, seconds, scales, weights });
  }
  return values;
}

interface Weighted {
  readonly features: readonly (readonly number[])[];
  readonly seconds: readonly number[];
  /** Scale of a row, and its weight. */
  readonly scales: readonly number[];
  readonly weights: readonly number[];
}

/** Coefficients of at least 0 for which the weighted sum of squares of `features b - seconds` is least. */
function leastSquares({ features, seconds, scales, weights }: Weighted): number[] {
  const rows = features.map((row, i) => row.map((value) => value / scales[i]));
  const targets = seconds.map((value, i) => value / scales[i]);
  const count = rows[0]?.length ?? 0;
  const scale = Array.from(
    { length: count },
    (_, j) => Math.max(...rows.map((row) => Math.abs(row[j]))) || 1,
  );
  const total = targets.reduce((sum, target, i) => sum + weights[i] * target ** 2, 0);
  const [gram, right] = normal({ rows, targets, weights, scale });
  const used = [...scale.keys()].filter((j) => gram[j][j] > 0);
  let best = { squares: total, values: new Array<number>(count).fill(0) };
  for (let mask = 1; mask < 1 << used.length; mask++) {
    const subset = used.filter((_, i) => mask >> i & 1);
    const matrix = subset.map((i) => subset.map((j) => gram[i][j]));
    const found = solve(matrix, subset.map((i) => right[i]));
    if (!found || found.some((value) => !(value >= 0))) continue;
    const values = new Array<number>(count).fill(0);
    subset.forEach((j, i) => values[j] = found[i]);
    // |X b - t|^2 = |t|^2 - b . r at the solution
    const squares = total - found.reduce((sum, value, i) => sum + value * right[subset[i]], 0);
    // of equally good ones the one with fewer features
    if (squares < best.squares * (1 - 1e-9) - 1e-12 * total) best = { squares, values };
  }
  return best.values.map((value, j) => value / scale[j]);
}

function normal({ rows, targets, weights, scale }: {
  readonly rows: readonly (readonly number[])[];
  readonly targets: readonly number[];
  readonly weights: readonly number[];
  readonly scale: readonly number[];
}): [number[][], number[]] {
  const gram = scale.map(() => scale.map(() => 0));
  const right = scale.map(() => 0);
  for (const [n, row] of rows.entries()) {
    const scaled = row.map((value, j) => value / scale[j]);
    for (const [i, a] of scaled.entries()) {
      right[i] += weights[n] * a * targets[n];
      for (const [j, b] of scaled.entries()) gram[i][j] += weights[n] * a * b;
    }
  }
  return [gram, right];
}

/** Solution of a symmetric system by elimination; undefined where it is as good as singular. */
function solve(matrix: number[][], right: number[]): number[] | undefined {
  const n = right.length;
  const a = matrix.map((row, i) => [...row, right[i]]);
  const largest = Math.max(...matrix.map((row, i) => row[i]));
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column + 1; i < n; i++) {
      if (Math.abs(a[i][column]) > Math.abs(a[pivot][column])) pivot = i;
    }
    if (Math.abs(a[pivot][column]) < 1e-10 * largest) return undefined;
    [a[column], a[pivot]] = [a[pivot], a[column]];
    for (let i = 0; i < n; i++) {
      if (i === column) continue;
      const factor = a[i][column] / a[column][column];
      for (let j = column; j <= n; j++) a[i][j] -= factor * a[column][j];
    }
  }
  return a.map((row, i) => row[n] / row[i]);
}
