/**
 * From a Program and the times of its operations to a table.
 * @module
 */
import { aProgram, expect, someEvents, something } from "../../arguments/mod.ts";
import { table } from "arquero";
import type { EventTable, Program } from "../../engine.ts";
import { SchemoeError, type Task } from "../../types.ts";
import {
  column,
  columnsOf,
  PACED_COLUMN,
  rows,
  type Timeline,
  TIMELINE_COLUMNS,
} from "./columns.ts";
import { Computed, Lookup } from "./lookup.ts";

/** Between the names in the column `deps`; no task name may hold it. */
const SEPARATOR = ";";

/** Name and start of a timeline. */
export interface RunName {
  /** Value of the column `run`. */
  readonly name: string;
  /** Nanoseconds added to all times, to put several Programs on one time axis; default 0. */
  readonly offset?: number;
}

/**
 * One row for each operation that ran, by rank and then by position in the order.
 *
 * | column | holds |
 * |---|---|
 * | `run` | name of the run; rows of one run share a time axis |
 * | `pass` | `forward` or `backward` |
 * | `rank`, `node` | where it ran |
 * | `lane` | `compute`, `intra` or `inter` |
 * | `kind` | kind of the task; `allToAll` and `allReduce` are communication; `pack` and `unpack` copy rows to and from the wire where there is no codec |
 * | `chunk` | chunk index, null for tasks before and after the chunks |
 * | `name`, `label` | the task, such as `A1[0] inter`, and its letter in the paper, `A1` |
 * | `ready_ns` | all that it depends on was done |
 * | `start_ns`, `end_ns` | begun and ended |
 * | `wait_ns` | of that, at its beginning, waiting for a peer: not communication |
 * | `bytes` | communication: sent by this rank over links, copies to itself left out; computation: memory traffic of the busiest rank |
 * | `flops` | floating-point operations of the busiest rank |
 * | `deps` | names of the tasks it depends on, joined by `;`, null when there are none |
 * | `paced_ns` | of paced runs: what it was to take without waiting, 0 for as fast as it goes |
 *
 * Times are nanoseconds. `deps` names tasks of the same run, pass and rank, with the edges that the
 * scheduler added; that a lane runs its own tasks in order is not repeated there.
 *
 * @throws {SchemoeError} when the events do not belong to the program.
 */
export function makeTimeline(program: Program, events: EventTable, run: RunName): Timeline {
  expect("makeTimeline", "program", program, aProgram);
  expect("makeTimeline", "events", events, someEvents);
  expect("makeTimeline", "run", run, something);
  const { order, graph } = program;
  const by = arrange(program, events);
  const codecs = `${graph.configuration.compressor ?? ""}`.split("/");
  const { position, rank } = by;
  const { length } = position;
  const pick = <T>(of: (task: Task, at: number) => T) => new Lookup(order.map(of), position);
  const all = (value: string) => new Lookup([value], new Uint32Array(length));
  const { paced } = events;
  return table({
    run: all(run.name),
    pass: all(graph.pass),
    rank,
    node: rank.map((r) => Math.floor(r / graph.topology.ranksPerNode)),
    lane: pick((task) => task.lane),
    kind: pick((task) => kindOf(task, codecs)),
    chunk: pick(({ chunk }) => chunk < 0 || chunk >= graph.chunks ? null : chunk),
    name: pick((task) => task.name),
    label: pick((task) => task.label),
    ready_ns: by.time(readyTimes(program, events), run.offset),
    start_ns: by.time(events.start, run.offset),
    end_ns: by.time(events.end, run.offset),
    wait_ns: by.time(events.wait),
    bytes: new Computed(length, (row) => bytesOf(order[position[row]], rank[row])),
    flops: order.some(({ rankFlops }) => rankFlops)
      ? new Computed(length, (row) => flopsOf(order[position[row]], rank[row]))
      : pick((task) => task.flops),
    deps: pick((_, at) => dependencyNames(program, at)),
    ...(paced ? { [PACED_COLUMN]: by.time(paced) } : {}),
  }, paced ? [...TIMELINE_COLUMNS, PACED_COLUMN] : [...TIMELINE_COLUMNS]);
}

/**
 * Rows of several timelines in one table, in the order given: the gate and the rest of a pass, or
 * forward and backward of one step. Their times must already share an axis, by `RunName.offset`.
 *
 * @throws {SchemoeError} naming a column that one of them lacks.
 */
export function concatTimelines(...timelines: readonly Timeline[]): Timeline {
  const parts = timelines.map((timeline) => ({ timeline, rows: rows(timeline) }));
  const length = parts.reduce((sum, part) => sum + part.rows.length, 0);
  const names = columnsOf(...timelines);
  const joined = names.map((name) => {
    const values = function* () {
      for (const part of parts) {
        const from = name === PACED_COLUMN
          ? part.timeline.column(name) ?? { at: () => 0 }
          : column<string | number | null>(part.timeline, name);
        for (const row of part.rows) yield from.at(row);
      }
    };
    if (name === "rank" || name === "node") return [name, Uint32Array.from(values(), Number)];
    const exact = name.endsWith("_ns") || name === "bytes" || name === "flops";
    return [name, exact ? Float64Array.from(values(), Number) : Lookup.of(length, values())];
  });
  return table(Object.fromEntries(joined), [...names]);
}

/** Kind of a task; what compresses with the codec `none` only packs rows. */
function kindOf({ kind, label }: Task, codecs: readonly string[]): string {
  if (kind !== "compress" && kind !== "decompress") return kind;
  // one codec for both ways, or that of the way back after the other
  const codec = codecs[label.endsWith("2") ? codecs.length - 1 : 0];
  if (codec !== "none") return kind;
  return kind === "compress" ? "pack" : "unpack";
}

/**
 * When all dependencies of an operation were done. Engines record its waits for other lanes; what
 * came before on its own lane is in the order, and may have been done later.
 */
function readyTimes({ order, dependencies, graph }: Program, events: EventTable): Float64Array {
  const { ranks } = graph.topology;
  const ends = new Float64Array(order.length * ranks);
  events.end.forEach((end, i) => ends[events.position[i] * ranks + events.rank[i]] = end);
  return events.ready.map((ready, i) => {
    let latest = ready;
    for (const position of dependencies[events.position[i]]) {
      latest = Math.max(latest, ends[position * ranks + events.rank[i]]);
    }
    return latest;
  });
}

/** Events by rank, then by position, whatever the order in which an engine recorded them. */
function arrange({ order, graph }: Program, events: EventTable) {
  const { length } = events.position;
  for (const name of ["rank", "ready", "start", "end", "wait"] as const) {
    if (events[name].length !== length) {
      throw new SchemoeError(
        `Cannot make the timeline: ${length} events, but ${events[name].length} in "${name}"`,
      );
    }
  }
  let sorted = true;
  const { ranks } = graph.topology;
  for (let i = 0; i < length; i++) {
    const rank = events.rank[i];
    if (events.position[i] >= order.length || rank >= ranks) {
      throw new SchemoeError(
        `Cannot make the timeline: event ${i} is of position ${events.position[i]} at rank ` +
          `${rank}, the program has ${order.length} positions and ${ranks} ranks`,
        { rank },
      );
    }
    if (i > 0 && compare(events, i - 1, i) > 0) sorted = false;
  }
  const from = new Uint32Array(length).map((_, i) => i);
  if (!sorted) from.sort((a, b) => compare(events, a, b));
  return {
    position: from.map((i) => events.position[i]),
    rank: from.map((i) => events.rank[i]),
    time: (values: Float64Array, offset = 0) =>
      new Float64Array(length).map((_, row) => values[from[row]] + offset),
  };
}

function compare(events: EventTable, a: number, b: number): number {
  return events.rank[a] - events.rank[b] || events.position[a] - events.position[b];
}

const flopsOf = (task: Task, rank: number): number => task.rankFlops?.(rank) ?? task.flops;

/** Bytes that a rank sends over links, or the memory traffic of a computation. */
function bytesOf(task: Task, rank: number): number {
  if (!task.transfers) return task.bytes;
  if (task.traffic) {
    const { intra, inter } = task.traffic.pattern.of(rank);
    return (intra.sent + inter.sent) * task.traffic.sliceBytes;
  }
  let sum = 0;
  for (const transfer of task.transfers(rank)) {
    if (transfer.kind === "send" && transfer.peer !== rank) sum += transfer.bytes;
  }
  return sum;
}

function dependencyNames({ order, dependencies }: Program, at: number): string | null {
  const names = [...new Set(dependencies[at])].map((position) => order[position].name);
  const odd = names.find((name) => name.includes(SEPARATOR));
  if (odd !== undefined) {
    throw new SchemoeError(`Cannot make the timeline: task name "${odd}" holds "${SEPARATOR}"`);
  }
  return names.length === 0 ? null : names.join(SEPARATOR);
}
