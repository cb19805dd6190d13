/** Routings by a power law, still or drifting, and the uniform one as its limit. @module */
import { SchemoeError } from "../types.ts";
import { cumulate, drawn, shuffled, traceSizes } from "./draw.ts";
import type { RouterTrace, TraceSizes } from "./types.ts";
import { quoted } from "../words.ts";

/** How uneven: the i-th most popular expert has a probability in proportion to `i ** -exponent`. */
export interface ZipfOptions extends TraceSizes {
  /** 0 is uniform; 0.4 to 1.2 is what uneven routers show. */
  readonly exponent: number;
}

/** Popularity that moves from one order of the experts to the next. */
export interface DriftOptions extends ZipfOptions {
  /** Training step; any number of at least 0. */
  readonly step: number;
  /** Steps in which one order of the experts turns into the next. */
  readonly period: number;
}

/** @throws {SchemoeError} naming a number that is not at least 0. */
function checked(name: string, value: number, positive = false): number {
  if (typeof value === "number" && value >= 0 && value < Infinity && !(positive && value === 0)) {
    return value;
  }
  const wanted = positive ? "a positive number" : "a number of at least 0";
  throw new SchemoeError(
    `Cannot make the routing: ${name} must be ${wanted}, got ${quoted(value)}`,
  );
}

/** Weight of each expert when they are popular in the given order. */
export function zipfWeights(order: Int32Array, exponent: number): Float64Array {
  const weights = new Float64Array(order.length);
  order.forEach((expert, i) => weights[expert] = (i + 1) ** -exponent);
  return weights;
}

/**
 * Every expert is as likely as any other.
 *
 * ```ts
 * import { loadsOf, uniformRouting } from "@schemoe/lab/routing";
 * const { table } = loadsOf(uniformRouting({ ranks: 2, tokens: 64, experts: 4, topK: 2 }));
 * console.assert(table.reduce((a, b) => a + b) === 2 * 64 * 2);
 * ```
 * @throws {SchemoeError} naming a size that is wrong.
 */
export const uniformRouting = (options: TraceSizes): RouterTrace => {
  const sums = cumulate(new Float64Array(traceSizes(options).experts).fill(1));
  return drawn("uniform", options, () => () => sums);
};

/**
 * The same few experts are popular on all ranks (Zipf); which ones, the seed says.
 * @throws {SchemoeError} naming a size or exponent that is wrong.
 */
export function zipfRouting(options: ZipfOptions): RouterTrace {
  const { exponent, experts, seed = 1 } = traceSizes(options);
  const order = shuffled(experts, seed);
  const sums = cumulate(zipfWeights(order, checked("exponent", exponent)));
  return drawn(`zipf ${exponent}`, options, () => () => sums);
}

/**
 * A power law whose order of experts changes with the step, smoothly: in the middle of a period both orders
 * count equally.
 * @throws {SchemoeError} naming a size, exponent, step or period that is wrong.
 */
export function driftingRouting(options: DriftOptions): RouterTrace {
  const { exponent, experts, seed = 1 } = traceSizes(options);
  checked("exponent", exponent);
  const at = checked("step", options.step) / checked("period", options.period, true);
  const epoch = Math.floor(at);
  const orderOf = (number: number) => zipfWeights(shuffled(experts, seed + number), exponent);
  const [old, next] = [orderOf(epoch), orderOf(epoch + 1)];
  const sums = cumulate(old.map((weight, i) => weight + (next[i] - weight) * (at - epoch)));
  return drawn(`zipf ${exponent} drifting at step ${options.step}`, options, () => () => sums);
}
