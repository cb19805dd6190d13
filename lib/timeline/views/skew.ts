/** @module */
import { table } from "arquero";
import { oneRun, type Subject } from "../table/columns.ts";
import { factsOf, titleOf } from "../chart/facts.ts";
import { type Picture, picture } from "../chart/picture.ts";
import { exchangesOf } from "../table/exchanges.ts";
import { formatTime } from "../table/format.ts";
import { length, merge, subtract } from "../table/intervals.ts";
import { groupBy, type Operation, type Operations, operationsOf } from "../table/operations.ts";
import { timed } from "../table/subject.ts";
import { skewBars, type SkewRow } from "./skew_bars.ts";

/** All-to-alls that a picture shows. */
const SHOWN = 32;

/**
 * Each all-to-all apart into waiting for the last sender and transfer: a picture, and a table in the order
 * of time with
 *
 * | column | holds |
 * |---|---|
 * | `pass`, `name` | letter and chunk, all phases together |
 * | `waiting_ns` | time in which a rank waited for a peer and transferred nothing of it; mean over ranks |
 * | `transfer_ns` | time in which a rank transferred; mean over ranks |
 * | `longest_ns` | the longest that one rank waited |
 * | `last_rank` | the rank that the others waited for longest; null where nobody waited |
 * | `bytes` | sent by the busiest rank |
 * | `bytes_per_second` | that over `transfer_ns`: the rate of the links, without the skew |
 *
 * What a profiler shows as one long all-to-all is often a rank that came late: faster links would not help.
 * TraceLens makes the same distinction (https://github.com/AMD-AGI/TraceLens).
 *
 * ```ts
 * import { skew } from "@schemoe/lab/timeline";
 * import { createLayer, openEngine, topology } from "@schemoe/lab";
 * const world = topology({ nodes: 1, ranksPerNode: 2, speed: [1, 0.5] });
 * using engine = openEngine({ kind: "simulate", topology: world });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * const found = skew(await layer.forward());
 * console.assert(found.table.get("last_rank", 0) === 1); // computes at half the speed
 * ```
 * @throws {SchemoeError} when it is no run, a column is missing, or the timeline holds several runs.
 */
export function skew(run: Subject): Picture {
  const given = timed(run, "show the skew");
  const operations = operationsOf(given.timeline);
  const rows = skewRows(operations);
  const total = (of: (row: SkewRow) => number) => rows.reduce((sum, row) => sum + of(row), 0);
  const [waiting, transfer] = [total((row) => row.waiting), total((row) => row.transfer)];
  const longest = rows.length > SHOWN
    ? new Set(
      rows.toSorted((a, b) => b.waiting + b.transfer - a.waiting - a.transfer).slice(0, SHOWN),
    )
    : undefined;
  const shown = longest ? rows.filter((row) => longest.has(row)) : rows;
  return picture({
    doing: "show the skew",
    label: "Skew and transfer of each all-to-all",
    title: `${titleOf(given) ?? oneRun(given)}: skew and transfer of each all-to-all`,
    lines: factsOf(given),
    summary: rows.length === 0
      ? "There is no all-to-all."
      : `In its all-to-alls a rank waits ${
        formatTime(waiting)
      } for the last sender and transfers ` +
        `${formatTime(transfer)} (means over ranks).`,
    note: longest ? `the ${SHOWN} longest of ${rows.length} all-to-alls` : undefined,
    table: table({
      pass: rows.map(({ pass }) => pass),
      name: rows.map(({ name }) => name),
      waiting_ns: Float64Array.from(rows, (row) => row.waiting),
      transfer_ns: Float64Array.from(rows, (row) => row.transfer),
      longest_ns: Float64Array.from(rows, (row) => row.longest),
      last_rank: rows.map(({ lastRank }) => lastRank ?? null),
      bytes: Float64Array.from(rows, ({ bytes }) => bytes),
      bytes_per_second: Float64Array.from(rows, rateOf),
    }),
    draw: (space) => skewBars(shown, space),
  });
}

const rateOf = ({ bytes, transfer }: SkewRow) => transfer > 0 ? bytes / transfer * 1e9 : 0;

function skewRows(operations: Operations): SkewRow[] {
  return exchangesOf(operations).map(({ pass, name, phases }) => {
    const ranks = [...groupBy(phases, ({ rank }) => `${rank}`).values()].map(rankTimes);
    const mean = (of: (rank: typeof ranks[number]) => number) =>
      ranks.reduce((sum, rank) => sum + of(rank), 0) / ranks.length;
    const waiting = mean((rank) => rank.waiting);
    return {
      pass,
      name,
      waiting,
      lastRank: waiting > 0 ? lastRank(operations, phases) : undefined,
      start: phases.reduce((least, { start }) => Math.min(least, start), Infinity),
      back: phases[0].label.endsWith("2"),
      transfer: mean(({ transfer }) => transfer),
      longest: ranks.reduce((most, { waiting }) => Math.max(most, waiting), 0),
      bytes: ranks.reduce((most, { bytes }) => Math.max(most, bytes), 0),
    };
  }).toSorted((a, b) => a.start - b.start);
}

/** Times of the phases of one rank; phases of two lanes overlap. */
function rankTimes(phases: readonly Operation[]) {
  const transferring = merge(phases.flatMap(({ begun, end }) => [begun, end]));
  const waiting = subtract(
    merge(phases.flatMap(({ start, begun }) => [start, begun])),
    transferring,
  );
  return {
    waiting: length(waiting),
    transfer: length(transferring),
    bytes: phases.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** The rank for which the others waited longest, all together. */
function lastRank(operations: Operations, phases: readonly Operation[]): number | undefined {
  const waited = new Map<number, number>();
  for (const phase of phases) {
    const peer = operations.peer(phase);
    if (peer) waited.set(peer.rank, (waited.get(peer.rank) ?? 0) + phase.begun - phase.start);
  }
  return [...waited].toSorted(([a, x], [b, y]) => y - x || a - b)[0]?.[0];
}
