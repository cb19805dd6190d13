/** @module */
import { table } from "arquero";
import {
  column,
  isCommunication,
  numbers,
  oneRun,
  rows,
  type Subject,
  type Timeline,
} from "../table/columns.ts";
import { intersect, type Intervals, length, merge, subtract } from "../table/intervals.ts";

/** Communication of one run, in nanoseconds; sums over all ranks. */
export interface Communication {
  /** Time in which a rank communicates. */
  readonly total: number;
  /** Part of it in which the compute lane of the same rank is busy. */
  readonly hidden: number;
  /** The rest: `total - hidden`. */
  readonly exposed: number;
  /** Time in which a rank waits for a peer and does not communicate; no part of `total`. */
  readonly waiting: number;
  /** The same for each rank: `rank`, `total_ns`, `hidden_ns`, `exposed_ns`, `waiting_ns`. */
  readonly ranks: Timeline;
}

/**
 * How much communication a run has, and how much of it hides behind computation.
 *
 * A rank communicates from `start_ns + wait_ns` to `end_ns` of its rows of kind `allToAll` and
 * `allReduce`; overlapping intervals count once. Communication is hidden while the compute lane of
 * the same rank is busy. `hidden / total` is the communication-computation overlap of Holistic
 * Trace Analysis (https://hta.readthedocs.io, "Communication Computation Overlap": the time spent
 * in computation while communicating, divided by the time spent in communication), with lanes in
 * place of kernels, and without the time spent waiting, which HTA cannot tell from communication.
 *
 * ```ts
 * import { communication, createLayer, openEngine } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * const { total, hidden, exposed } = communication(run);
 * console.assert(hidden > 0 && Math.abs(hidden + exposed - total) < 1);
 * ```
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function communication(timeline: Subject): Communication {
  oneRun(timeline);
  const found = [...byRank(timeline)].toSorted(([a], [b]) => a - b).map(([rank, times]) => ({
    rank,
    total: length(times.communicating),
    hidden: length(intersect(times.communicating, times.computing)),
    waiting: length(subtract(times.waiting, times.communicating)),
  }));
  const sum = (of: "total" | "hidden" | "waiting") => found.reduce((s, r) => s + r[of], 0);
  const total = sum("total");
  const hidden = sum("hidden");
  return {
    total,
    hidden,
    exposed: total - hidden,
    waiting: sum("waiting"),
    ranks: table({
      rank: Uint32Array.from(found, (r) => r.rank),
      total_ns: Float64Array.from(found, (r) => r.total),
      hidden_ns: Float64Array.from(found, (r) => r.hidden),
      exposed_ns: Float64Array.from(found, (r) => r.total - r.hidden),
      waiting_ns: Float64Array.from(found, (r) => r.waiting),
    }),
  };
}

/**
 * Fraction of communication that is hidden, 0 to 1, over all ranks; NaN without communication.
 *
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function hiddenFraction(timeline: Subject): number {
  const { hidden, total } = communication(timeline);
  return hidden / total;
}

/** Merged intervals of one rank. */
export interface RankIntervals {
  readonly computing: Intervals;
  readonly communicating: Intervals;
  readonly waiting: Intervals;
}

/** When each rank computes, communicates and waits for a peer. */
export function byRank(timeline: Subject): Map<number, RankIntervals> {
  const rank = numbers(timeline, "rank");
  const lane = column<string>(timeline, "lane");
  const kind = column<string>(timeline, "kind");
  const start = numbers(timeline, "start_ns");
  const end = numbers(timeline, "end_ns");
  const wait = numbers(timeline, "wait_ns");
  const lists = new Map<number, Record<keyof RankIntervals, number[]>>();
  for (const row of rows(timeline)) {
    let list = lists.get(rank.at(row));
    if (!list) {
      lists.set(rank.at(row), list = { computing: [], communicating: [], waiting: [] });
    }
    const begun = start.at(row) + wait.at(row);
    if (isCommunication(kind.at(row))) {
      list.communicating.push(begun, end.at(row));
      list.waiting.push(start.at(row), begun);
    } else if (lane.at(row) === "compute") {
      list.computing.push(start.at(row), end.at(row));
    }
  }
  const merged = new Map<number, RankIntervals>();
  for (const [at, list] of lists) {
    merged.set(at, {
      computing: merge(list.computing),
      communicating: merge(list.communicating),
      waiting: merge(list.waiting),
    });
  }
  return merged;
}
