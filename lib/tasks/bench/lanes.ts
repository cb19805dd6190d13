/** When which operations of a run were in progress. @module */
import { intersect, type Intervals, length, merge } from "../../timeline/table/intervals.ts";
import type { EventTable, Program } from "../../engine.ts";
import type { Task } from "../../types.ts";

/** Nanoseconds in which any of the chosen operations was in progress and not waiting for a peer. */
export function intervalsOf(
  program: Program,
  { position, rank, start, end, wait }: EventTable,
  choose: (task: Task, rank: number) => boolean,
): Intervals {
  const found: number[] = [];
  for (let i = 0; i < position.length; i++) {
    if (choose(program.order[position[i]], rank[i])) found.push(start[i] + wait[i], end[i]);
  }
  return merge(found);
}

/** Nanoseconds in which something of each set was in progress at the same time. */
export const together = (sets: readonly Intervals[]): number =>
  length(sets.reduce((a, b) => intersect(a, b)));
