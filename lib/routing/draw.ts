/** Draws of different experts by given probabilities. @module */
import { manyAtMost } from "../arguments/mod.ts";
import { uniforms } from "../random.ts";
import { SchemoeError } from "../types.ts";
import type { RouterTrace, TraceSizes } from "./types.ts";
import { quoted } from "../words.ts";

/** Draws that meet an expert that the token already has, before the next free one is taken. */
const TRIES = 16;

/** Cumulative probabilities of experts. */
export type Cumulated = Float64Array;

/** @param weights at least 0, not all 0. */
export function cumulate(weights: ArrayLike<number>): Cumulated {
  const sums = new Float64Array(weights.length);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sums[i] = sum += weights[i];
  return sums;
}

/** The expert that a number in [0, 1) falls on. */
function at(sums: Cumulated, uniform: number): number {
  const wanted = uniform * sums[sums.length - 1];
  // of equal probabilities it is this one
  const near = Math.floor(uniform * sums.length);
  if (sums[near] > wanted && (near === 0 || sums[near - 1] <= wanted)) return near;
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Draws one expert that is not among `choices[from..to)`. */
function drawOther(
  sums: Cumulated,
  uniform: () => number,
  choices: Int32Array,
  [from, to]: readonly [number, number],
): number {
  const taken = (expert: number) => {
    for (let i = from; i < to; i++) if (choices[i] === expert) return true;
    return false;
  };
  let expert = at(sums, uniform());
  for (let i = 0; i < TRIES && taken(expert); i++) expert = at(sums, uniform());
  while (taken(expert)) expert = (expert + 1) % sums.length;
  return expert;
}

/** Numbers of a rank's own, the same whichever ranks are asked before. */
const rankUniforms = (seed: number, rank: number): () => number =>
  uniforms(Math.imul(seed, 0x9e3779b1) ^ Math.imul(rank + 1, 0x85ebca6b));

/** Sizes of a trace, checked. @throws {SchemoeError} naming a size that is no positive integer. */
export function traceSizes<T extends TraceSizes>(given: T): T {
  const { ranks, tokens, experts, topK = 1 }: T = Object(given);
  for (const [field, value] of Object.entries({ ranks, tokens, experts, topK })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new SchemoeError(
        `Cannot make the routing: ${field} must be a positive integer, got ${quoted(value)}`,
      );
    }
    if (!manyAtMost.accepts(value)) {
      throw new SchemoeError(
        `Cannot make the routing: ${field} must be ${manyAtMost.what}, got ${value}`,
      );
    }
  }
  if (topK > experts) {
    throw new SchemoeError(
      `Cannot make the routing: topK is ${topK}, there are ${experts} experts`,
    );
  }
  return given;
}

/**
 * A trace whose tokens draw `topK` different experts; `probabilities` says for each token by which.
 * @throws {SchemoeError} naming a size that is no positive integer.
 */
export function drawn(
  name: string,
  sizes: TraceSizes,
  probabilities: (rank: number, uniform: () => number) => () => Cumulated,
): RouterTrace {
  const { ranks, tokens, experts, topK = 1, seed = 1 } = traceSizes(sizes);
  return {
    name,
    ranks,
    experts,
    topK,
    tokens: () => tokens,
    choices(rank) {
      const uniform = rankUniforms(seed, rank);
      const next = probabilities(rank, uniform);
      const choices = new Int32Array(tokens * topK);
      for (let token = 0; token < tokens; token++) {
        const sums = next();
        const first = token * topK;
        for (let k = 0; k < topK; k++) {
          choices[first + k] = drawOther(sums, uniform, choices, [first, first + k]);
        }
      }
      return choices;
    },
  };
}

/** Numbers 0 to `count - 1` in an order of a seed's own (Fisher and Yates). */
export function shuffled(count: number, seed: number): Int32Array {
  const uniform = uniforms(seed ^ 0x2545f491);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
