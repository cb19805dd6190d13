/** @module */
import { SchemoeError } from "../../types.ts";
import { type Subject, timed } from "../table/subject.ts";
import { communication } from "./communication.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import { makespan } from "./makespan.ts";

/**
 * One line about a run or its timeline:
 * `makespan 12.31 ms · 64 % of communication hidden · 8 % above the bound (11.40 ms, busiest lane)`.
 *
 * @param run of which `bound` and `boundLimit` are used, where it has them.
 * @throws {SchemoeError} when the bound is not a positive number, a column is missing, or the
 * timeline holds several runs.
 */
export function verdict(run: Subject): string {
  const { timeline, bound, boundLimit } = timed(run, "judge the run");
  const time = makespan(timeline);
  const { total, hidden } = communication(timeline);
  const parts = [`makespan ${formatTime(time)}`];
  parts.push(
    total > 0 ? `${formatPercent(hidden / total)} of communication hidden` : "no communication",
  );
  if (bound !== undefined) parts.push(distance(time, bound, boundLimit));
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
