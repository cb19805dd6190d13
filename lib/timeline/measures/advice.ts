/** What would have to change for a run to be shorter. @module */
import { busy } from "./busy.ts";
import { listNumbers } from "../chart/fold.ts";
import { isCommunication, type Timeline } from "../table/columns.ts";
import type { Exposure } from "./exposure.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import type { Operations } from "../table/operations.ts";
import { stragglers } from "./stragglers.ts";

/** A part of the critical path. */
export interface Share {
  readonly what: string;
  readonly lane: string;
  readonly communication: boolean;
  readonly ns: number;
}

/** What advice is drawn from. */
export interface Findings {
  readonly timeline: Timeline;
  readonly operations: Operations;
  readonly shares: readonly Share[];
  readonly exposures: readonly Exposure[];
  /** Seconds. */
  readonly bound?: number;
}

/** A lane that works for more than this part of the makespan has no room left. */
const FULL = 0.9;
/** The same where the run is at its bound, and by how much it may be above that: what is left is its beginning and end. */
const FULL_AT_BOUND = 2 / 3;
const AT_BOUND = 1.01;
/** A rank that computes for more than this times the median is slow. */
const SLOW = 1.05;
/** What takes less than this part of the makespan is not worth a word. */
const WORTH = 0.03;

/** One to three sentences, the most telling first. */
export function advice(found: Findings): string[] {
  const { operations: { all, begin, end } } = found;
  if (all.length === 1) {
    return [`It is one task, ${all[0].name}: only a faster one makes the run shorter.`];
  }
  const makespan = end - begin;
  const full = fullLane(found, makespan);
  // a lane without room is why something is exposed: how to hide it better would be beside the point
  const said = [full ?? hiding(found, makespan), waiting(found, makespan), gaps(found, makespan)]
    .filter((sentence) => sentence !== undefined);
  if (said.length > 0) return said;
  const [top] = found.shares;
  return [`To make it shorter, shorten what the critical path consists of, above all ${top.what}.`];
}

/** A lane without room: order cannot help. */
function fullLane({ timeline, operations, bound }: Findings, makespan: number): string | undefined {
  const lanes = busy(timeline).objects() as { rank: number; lane: string; busy_ns: number }[];
  const top = lanes.toSorted((a, b) => b.busy_ns - a.busy_ns)[0];
  const there = bound !== undefined && makespan <= AT_BOUND * 1e9 * bound;
  if (!(top.busy_ns >= (there ? FULL_AT_BOUND : FULL) * makespan)) return undefined;
  const full = `The ${top.lane} lane of rank ${top.rank} works ${
    formatPercent(top.busy_ns / makespan)
  } of the time`;
  const computes = !operations.lanes.get(`${top.rank} ${top.lane}`)!
    .some(({ kind }) => isCommunication(kind));
  return computes
    ? `${full}: no order helps, only less or faster computation, or work moved to other ranks.`
    : `${full}: no order helps, only fewer bytes on it (a codec, or an all-to-all that sends less there) or a faster link.`;
}

/** Communication that could hide and does not. */
function hiding({ operations, exposures }: Findings, makespan: number): string | undefined {
  const exposed = exposures.reduce((sum, { mean }) => sum + mean, 0);
  if (exposed < WORTH * makespan) return undefined;
  const { all } = operations;
  const ranks = new Set(all.map(({ rank }) => rank)).size;
  if (!all.some(({ kind }) => !isCommunication(kind))) {
    return "Nothing computes, so that communication has nothing to hide behind: only fewer bytes or faster links help.";
  }
  const chunks = new Set(all.map(({ chunk }) => chunk).filter((chunk) => chunk !== null));
  const total = all.filter(({ kind }) => isCommunication(kind))
    .reduce((sum, { begun, end }) => sum + end - begun, 0) / ranks;
  if (chunks.size === 0) {
    return "The table does not say into which parts its work is cut: where computation waits for the whole of a transfer, smaller parts of both could run beside each other.";
  }
  if (chunks.size === 1) {
    return "It has one chunk, so that each task waits for the whole of the one before: more chunks would let communication run beside computation.";
  }
  if (exposed > 0.95 * total) {
    return `In spite of ${chunks.size} chunks nothing overlaps: a scheduler that lets communication run beside computation, such as optSche, would hide some of it.`;
  }
  const edge = exposures.filter(({ chunk }) =>
    chunk === null || chunk === Math.min(...chunks) || chunk === Math.max(...chunks)
  )
    .reduce((sum, { mean }) => sum + mean, 0);
  if (edge > 0.6 * exposed) {
    return "Mostly the first and the last chunk are exposed, which have little to hide behind: more and smaller chunks, or fewer bytes, would shrink them.";
  }
  return "What is exposed lies between chunks: the lane it runs on has more to do than computation can hide, so that fewer bytes, faster links or an all-to-all over both lanes would help.";
}

/** Ranks that others wait for. */
function waiting({ timeline }: Findings, makespan: number): string | undefined {
  const table = stragglers(timeline);
  const waited = (table.array("waiting_ns") as number[]).reduce((a, b) => a + b, 0) /
    table.numRows();
  if (waited < WORTH * makespan) return undefined;
  const ranks = table.objects() as {
    rank: number;
    caused_ns: number;
    last: number;
    slowdown: number;
  }[];
  const [worst] = ranks;
  if (!(worst.caused_ns > 0)) {
    return `Ranks wait for peers ${
      formatTime(waited)
    } each, for reasons that the table does not hold.`;
  }
  const alike = ranks.filter(({ slowdown }) => slowdown > SLOW).map(({ rank }) => rank);
  const slow = worst.slowdown > SLOW && alike.length > 1
    ? `; ranks ${listNumbers(alike.toSorted((a, b) => a - b))} compute up to ${
      formatPercent(ranks.reduce((most, { slowdown }) => Math.max(most, slowdown), 0) - 1)
    } longer than the median rank: balance the ranks`
    : worst.slowdown > SLOW
    ? ` and computes ${
      formatPercent(worst.slowdown - 1)
    } longer than the median rank: balance the ranks`
    : ", though it computes no longer than the others: it comes to the same exchanges later than they do";
  return `Ranks wait for peers ${
    formatTime(waited)
  } each, most for rank ${worst.rank}, which was waited for ${worst.last} times${slow}.`;
}

/** Time between tasks. */
function gaps({ shares }: Findings, makespan: number): string | undefined {
  const ns = shares.find(({ lane }) => lane === "")?.ns ?? 0;
  if (ns < WORTH * makespan) return undefined;
  return `Between the tasks of the critical path ${
    formatTime(ns)
  } pass unused (starting tasks, or what the table does not hold): fewer and larger tasks would save some of it.`;
}
