/** @module */
import { SchemoeError } from "../../types.ts";
import { type Subject, timed } from "../table/subject.ts";
import { communication } from "./communication.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import { disturbance, disturbedText } from "./disturbance.ts";
import { makespan } from "./makespan.ts";
import { spreadText } from "./spread.ts";

/**
 * One line about a run or its timeline; first, whether something held it up (see `disturbance`):
 * `makespan 12.31 ms · 64 % of communication hidden · 8 % above the bound (11.40 ms, busiest lane)`.
 *
 * @param run of which `bound` and `boundLimit` are used, where it has them.
 * @throws {SchemoeError} when the bound is not a positive number, a column is missing, or the
 * timeline holds several runs.
 */
export function verdict(run: Subject): string {
  const { timeline, bound, boundLimit, boundMost, repeats } = timed(run, "judge the run");
  const time = makespan(timeline);
  const { total, hidden } = communication(timeline);
  const disturbed = disturbance(timeline);
  const parts = [
    ...(disturbed ? [disturbedText(disturbed)] : []),
    `makespan ${formatTime(time)}${repeats ? spreadText(repeats) : ""}`,
  ];
  parts.push(
    total > 0 ? `${formatPercent(hidden / total)} of communication hidden` : "no communication",
  );
  if (bound !== undefined) parts.push(distance(time, { bound, boundLimit, boundMost }));
  return parts.join(" · ");
}

function distance(
  time: number,
  { bound, boundLimit, boundMost = 0 }: { bound: number; boundLimit?: string; boundMost?: number },
): string {
  if (!(bound > 0 && bound < Infinity)) {
    throw new SchemoeError(`Cannot compare with the bound: it is ${bound} s, not a positive time`);
  }
  const above = time / (bound * 1e9) - 1;
  const unsure = boundMost > bound * 1.001 ? ` to ${formatTime(boundMost * 1e9)}` : "";
  const where = `the bound (${formatTime(bound * 1e9)}${unsure}${
    boundLimit ? `, ${boundLimit}` : ""
  })`;
  if (Math.abs(above) < 0.001) return `at ${where}`;
  if (above > 0 && time <= boundMost * 1e9) return `at ${where}, as far as that is known`;
  if (above > 0) return `${formatPercent(above)} above ${where}`;
  // a bound of times that are known is never beaten
  return `${formatPercent(-above)} below ${where}: tasks took less than when measured alone`;
}
