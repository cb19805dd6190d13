/** @module */
import { numbers, oneRun, rows, type Subject } from "../table/columns.ts";

/**
 * Nanoseconds from the earliest start to the latest end, over all ranks; 0 for no rows.
 *
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function makespan(timeline: Subject): number {
  oneRun(timeline);
  const { begin, end } = extent(timeline);
  return end - begin;
}

/** Earliest start and latest end in nanoseconds; both 0 for no rows. */
export function extent(timeline: Subject): { begin: number; end: number } {
  const start = numbers(timeline, "start_ns");
  const stop = numbers(timeline, "end_ns");
  let begin = Infinity;
  let end = -Infinity;
  for (const row of rows(timeline)) {
    begin = Math.min(begin, start.at(row));
    end = Math.max(end, stop.at(row));
  }
  return begin === Infinity ? { begin: 0, end: 0 } : { begin, end };
}
