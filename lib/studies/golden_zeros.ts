/** Gradients of a reference that are 0 but for the rounding of its own arithmetic. @module */

/** Share of the largest gradient of all, below which float64 leaves nothing but rounding. */
const ROUNDING = 1e-12;

/**
 * Whether a gradient is 0 but for rounding, as that of a temperature where weights are normalized scores: its values,
 * 1e-17 or so, are nothing that results may be compared with, and count as zeros.
 *
 * @param gradients all of the case, or all of step 0 of a training run
 */
export function zeroGradients(
  gradients: Iterable<readonly [string, Float32Array]>,
): (values: Float32Array) => Float32Array {
  let most = 0;
  for (const [, values] of gradients) most = Math.max(most, largest(values));
  if (most === Infinity) return (values) => values;
  return (values) => largest(values) <= ROUNDING * most ? new Float32Array(values.length) : values;
}

/** The largest magnitude, infinite where a value is no finite number. */
const largest = (values: Float32Array): number =>
  values.reduce(
    (most, value) => Number.isFinite(value) ? Math.max(most, Math.abs(value)) : Infinity,
    0,
  );
