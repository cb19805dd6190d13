/** Values for large tensors that need no drawing of hundreds of millions of random numbers. @module */

/** Prime, so that the rows of a matrix differ. */
const BLOCK = 65_537;

/** Numbers of deviation about `scale`, the same for a seed, in blocks that repeat. */
export function repeated(count: number, seed: number, scale: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  const first = Math.min(BLOCK, count);
  for (let i = 0; i < first; i++) {
    values[i] = scale * Math.SQRT2 * Math.sin((i + 1) * (seed + 1.7));
  }
  for (let done = first; done < count; done *= 2) {
    values.copyWithin(done, 0, Math.min(done, count - done));
  }
  return values;
}
