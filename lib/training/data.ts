/** Training data. @module */

/** Sequences of a step: `sequences` of `context + 1` tokens, those of rank 0 first. */
export interface BatchOptions {
  /** Number of the step, from 0. */
  readonly step: number;
  /** Of all ranks together. */
  readonly sequences: number;
  /** Tokens of a sequence that the model sees; each has one more, to be predicted. */
  readonly context: number;
}

/** Tokens to train on. */
export interface TrainingData {
  /** What captions, checkpoints and errors call it. */
  readonly name: string;
  /** Number of different tokens. */
  readonly vocabulary: number;
  /**
   * Tokens [sequences, context + 1] of a step. A function of its arguments alone, so that a run that resumes
   * from a checkpoint sees what it would have seen, on any number of ranks.
   */
  batch(options: BatchOptions): Int32Array;
  /** Tokens [sequences, context + 1] that are not trained on; the same at each call. */
  validation?(options: Omit<BatchOptions, "step">): Int32Array;
}

/**
 * A number in [0, 2^32) from a seed and two places: words of Philox would do, these are the finalizer of splitmix32
 * (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA'14) applied to each in turn.
 */
export function scatter(seed: number, step: number, index: number): number {
  let hash = 0;
  for (const word of [seed, step, index]) hash = mix((hash + 0x9e3779b9 + word) | 0);
  return hash >>> 0;
}

function mix(value: number): number {
  let z = value;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return z ^ (z >>> 15);
}
