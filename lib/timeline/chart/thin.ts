/** Bars that can be told apart. @module */
import { column, numbers, type Timeline } from "../table/columns.ts";

/** Rows without those that are shorter than `finest` and begin as close to the one before. */
export function thin(timeline: Timeline, list: readonly number[], finest: number): number[] {
  const lane = column<string>(timeline, "lane");
  const [rank, start, end] = (["rank", "start_ns", "end_ns"] as const)
    .map((name) => numbers(timeline, name));
  const last = new Map<string, number>();
  return list.toSorted((a, b) => start.at(a) - start.at(b)).filter((row) => {
    if (end.at(row) - start.at(row) >= finest) return true;
    const key = `${rank.at(row)} ${lane.at(row)}`;
    const before = last.get(key);
    if (before !== undefined && start.at(row) - before < finest) return false;
    last.set(key, start.at(row));
    return true;
  });
}
