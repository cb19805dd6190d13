/** @module */
import { table } from "arquero";
import { column, numbers, oneRun, rows, type Subject, type Timeline } from "../table/columns.ts";
import { length, merge, subtract } from "../table/intervals.ts";
import { extent } from "./makespan.ts";

/**
 * How each lane of each rank spent the makespan: a table with `rank`, `lane`, `busy_ns`,
 * `waiting_ns` (for a peer, inside a task) and `idle_ns`, which add up to the makespan.
 *
 * Intervals that overlap count once. Lanes on which nothing ran have no row.
 *
 * ```ts
 * import { busy, createLayer, openEngine } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * const [first] = busy(run).objects() as { lane: string; busy_ns: number; idle_ns: number }[];
 * console.assert(first.lane === "compute" && first.busy_ns + first.idle_ns <= 1e9 * run.makespan + 1);
 * ```
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function busy(timeline: Subject): Timeline {
  oneRun(timeline);
  const rank = numbers(timeline, "rank");
  const lane = column<string>(timeline, "lane");
  const start = numbers(timeline, "start_ns");
  const end = numbers(timeline, "end_ns");
  const wait = numbers(timeline, "wait_ns");
  const lanes = new Map<string, { rank: number; lane: string; work: number[]; wait: number[] }>();
  for (const row of rows(timeline)) {
    const at = { rank: rank.at(row), lane: lane.at(row) };
    const key = `${at.rank} ${at.lane}`;
    let found = lanes.get(key);
    if (!found) lanes.set(key, found = { ...at, work: [], wait: [] });
    const begun = start.at(row) + wait.at(row);
    found.work.push(begun, end.at(row));
    found.wait.push(start.at(row), begun);
  }
  const whole = extent(timeline);
  const list = [...lanes.values()].toSorted((a, b) =>
    a.rank - b.rank || (a.lane < b.lane ? -1 : 1)
  );
  const times = list.map((found) => {
    const work = merge(found.work);
    return { busy: length(work), waiting: length(subtract(merge(found.wait), work)) };
  });
  return table({
    rank: Uint32Array.from(list, (found) => found.rank),
    lane: list.map((found) => found.lane),
    busy_ns: Float64Array.from(times, (t) => t.busy),
    waiting_ns: Float64Array.from(times, (t) => t.waiting),
    idle_ns: Float64Array.from(times, (t) => whole.end - whole.begin - t.busy - t.waiting),
  });
}
