/** @module */
import { SchemoeError } from "../../types.ts";
import type { Timeline } from "../table/columns.ts";
import { communication } from "./communication.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import { makespan } from "./makespan.ts";

/** What a verdict is about. */
export interface VerdictOptions {
  /** Rows of one run. */
  readonly timeline: Timeline;
  /** Lower bound of the makespan in seconds; left out when not given. */
  readonly bound?: number;
  /** Where the bound comes from, such as `busiest lane`. */
  readonly boundName?: string;
}

/**
 * One line about a run:
 * `makespan 12.31 ms · 64 % of communication hidden · 8 % above the bound (11.40 ms, busiest lane)`.
 *
 * @throws {SchemoeError} when the bound is not a positive number, a column is missing, or the
 * timeline holds several runs.
 */
export function verdict({ timeline, bound, boundName }: VerdictOptions): string {
  const time = makespan(timeline);
  const { total, hidden } = communication(timeline);
  const parts = [`makespan ${formatTime(time)}`];
  parts.push(
    total > 0 ? `${formatPercent(hidden / total)} of communication hidden` : "no communication",
  );
  if (bound !== undefined) parts.push(distance(time, bound, boundName));
  return parts.join(" · ");
}

function distance(time: number, bound: number, name?: string): string {
  if (!(bound > 0 && bound < Infinity)) {
    throw new SchemoeError(`Cannot compare with the bound: it is ${bound} s, not a positive time`);
  }
  const above = time / (bound * 1e9) - 1;
  const where = `the bound (${formatTime(bound * 1e9)}${name ? `, ${name}` : ""})`;
  if (Math.abs(above) < 0.001) return `at ${where}`;
  return `${formatPercent(Math.abs(above))} ${above > 0 ? "above" : "below"} ${where}`;
}
