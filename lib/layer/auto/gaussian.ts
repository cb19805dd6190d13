/** What some values tell about others by how alike they are: a Gaussian process. @module */

/** One point whose value is known. */
export interface Known<X> {
  readonly x: X;
  readonly y: number;
}

/** What is expected at other points. */
export interface Posterior<X> {
  /** Expected value and its standard deviation. */
  at(x: X): { readonly expected: number; readonly spread: number };
  /** Sum of squares of the values by what was expected of them before any was known. */
  readonly squares: number;
}

/**
 * Values of mean 0 before any is known.
 * @param kernel covariance of the values of two points.
 * @param noise variance that is each measurement's own.
 */
export function posterior<X>(
  known: readonly Known<X>[],
  { kernel, noise }: { readonly kernel: (a: X, b: X) => number; readonly noise: number },
): Posterior<X> {
  const inverse = inverted(
    known.map((a, i) => known.map((b, j) => kernel(a.x, b.x) + (i === j ? noise : 0))),
  );
  const values = known.map(({ y }) => y);
  return {
    at(x) {
      const k = known.map((one) => kernel(x, one.x));
      const weights = inverse.map((row) => dot(row, k));
      const variance = kernel(x, x) - dot(weights, k);
      return { expected: dot(weights, values), spread: Math.sqrt(Math.max(1e-12, variance)) };
    },
    squares: dot(values, inverse.map((row) => dot(row, values))),
  };
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i], 0);

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
