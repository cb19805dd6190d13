/** @module */
import { anything, expect, numbersOf } from "../../arguments/mod.ts";
import { table } from "arquero";
import { SchemoeError } from "../../types.ts";
import { column, numbers, oneRun, rows, type Subject, type Timeline } from "../table/columns.ts";

const IMBALANCE_LOADS = numbersOf(anything);

/** How unequally work is spread. */
export interface Imbalance {
  /** Largest over mean: 1 when all are equal, n when one of n has everything; NaN without work. */
  readonly ratio: number;
  /** Standard deviation over mean. */
  readonly variation: number;
  /** Index of the first largest. */
  readonly busiest: number;
}

/**
 * How unequal loads are: tokens of each expert, or any other counts.
 *
 * ```ts
 * import { imbalance } from "@schemoe/lab/timeline";
 * console.assert(imbalance([10, 30, 20, 20]).ratio === 1.5);
 * ```
 * @param loads one number of at least 0 for each expert or rank.
 * @throws {SchemoeError} for no loads, or one that is negative or not a number.
 */
export function imbalance(loads: ArrayLike<number>): Imbalance {
  expect("imbalance", "loads", loads, IMBALANCE_LOADS);
  const values = Array.from(loads);
  const odd = values.findIndex((value) => !(value >= 0 && value < Infinity));
  if (values.length === 0) {
    throw new SchemoeError(
      "Cannot measure the imbalance: there are no loads, give one for each expert",
    );
  }
  if (odd >= 0) {
    throw new SchemoeError(
      `Cannot measure the imbalance: load ${odd} is ${values[odd]}, give numbers of at least 0`,
    );
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const largest = values.reduce((most, value) => Math.max(most, value));
  return {
    ratio: largest / mean,
    variation: Math.sqrt(square) / mean,
    busiest: values.indexOf(largest),
  };
}

/**
 * Work of the experts of each rank: a table with `rank`, `flops` and `expert_ns`, for `imbalance`:
 * `imbalance(expertWork(timeline).array("expert_ns"))`.
 *
 * With equal capacities all ranks have the same `flops`, padding included; without padding they have those
 * of their own rows. `expert_ns`, the time that the experts took, tells slow ranks as well.
 *
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function expertWork(timeline: Subject): Timeline {
  oneRun(timeline);
  const kind = column<string>(timeline, "kind");
  const [rank, flops] = [numbers(timeline, "rank"), numbers(timeline, "flops")];
  const [start, end] = [numbers(timeline, "start_ns"), numbers(timeline, "end_ns")];
  const work = new Map<number, { flops: number; ns: number }>();
  for (const row of rows(timeline)) {
    const of = work.get(rank.at(row)) ?? { flops: 0, ns: 0 };
    work.set(rank.at(row), of);
    if (!kind.at(row).startsWith("expert")) continue;
    of.flops += flops.at(row);
    of.ns += end.at(row) - start.at(row);
  }
  const list = [...work].toSorted(([a], [b]) => a - b);
  return table({
    rank: Uint32Array.from(list, ([rank]) => rank),
    flops: Float64Array.from(list, ([, of]) => of.flops),
    expert_ns: Float64Array.from(list, ([, of]) => of.ns),
  });
}
