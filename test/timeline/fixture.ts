/**
 * Small timelines made by hand, and a forward pass whose times follow from a few round numbers.
 * @module
 */
import { table } from "arquero";
import { type Timeline, TIMELINE_COLUMNS } from "../../lib/timeline/table/columns.ts";
import { makeTimeline } from "../../lib/timeline/table/timeline.ts";
import { buildProgram } from "../../lib/program/program.ts";
import type { EventTable, Program } from "../../lib/engine.ts";
import type { Lane, Task, TaskGraph, TaskKind } from "../../lib/types.ts";

/** A row of a timeline; absent fields do not matter to the test. */
export interface Row {
  run?: string;
  pass?: string;
  rank?: number;
  node?: number;
  lane?: string;
  kind?: string;
  chunk?: number | null;
  name?: string;
  label?: string;
  start: number;
  end: number;
  wait?: number;
  bytes?: number;
  flops?: number;
  deps?: string | null;
}

/** A timeline of the given rows. */
export function timelineOf(rows: readonly Row[]): Timeline {
  const full = rows.map((row, i) => ({
    run: "hand-made",
    pass: "forward",
    rank: 0,
    node: 0,
    lane: "compute",
    kind: "expert",
    chunk: 0,
    name: `task ${i}`,
    label: "E",
    ready_ns: row.start,
    start_ns: row.start,
    end_ns: row.end,
    wait_ns: row.wait ?? 0,
    bytes: 0,
    flops: 0,
    deps: null,
    ...row,
  }));
  return table(
    Object.fromEntries(TIMELINE_COLUMNS.map((name) => [name, full.map((row) => row[name])])),
    [...TIMELINE_COLUMNS],
  );
}

/** Sizes of a made-up forward pass. */
export interface PassShape {
  nodes: number;
  ranksPerNode: number;
  chunks: number;
  /** All communication after one another, nothing hidden. */
  sequential?: boolean;
  /** Bytes of one message; default 1 MB. */
  bytes?: number;
  name?: string;
}

const MS = 1e6;
/** Milliseconds of each task; ranks differ by up to a tenth of the expert's time. */
const TIMES: Record<string, number> = {
  gate: 0.4,
  dispatch: 0.3,
  C1: 0.12,
  D1: 0.1,
  E: 1.1,
  C2: 0.12,
  D2: 0.1,
  combine: 0.3,
  "A1 intra": 0.35,
  "A1 inter": 0.8,
  "A2 intra": 0.35,
  "A2 inter": 0.8,
};

/** Program of a forward pass with both phases of Pipe-A2A, in the order of OptSche. */
export function forwardProgram(shape: PassShape): Program {
  const { nodes, ranksPerNode, chunks, bytes = 1e6 } = shape;
  const link = { alpha: 0, beta: 1e-9 };
  const tasks: Task[] = [];
  const add = (label: string, kind: TaskKind, lane: Lane, chunk: number, after: Task[]): Task => {
    const communicates = kind === "allToAll";
    const task: Task = {
      id: tasks.length,
      name: `${label}${chunk < 0 || chunk === chunks ? "" : `[${chunk}]`}` +
        (communicates ? ` ${lane}` : ""),
      kind,
      label,
      pass: "forward",
      chunk,
      stage: 0,
      lane,
      after: after.map(({ id }) => id),
      flops: kind === "expert" ? 8e9 : 0,
      bytes: communicates ? 2 * bytes : 4 * bytes,
      layer: 0,
      ...(communicates
        ? {
          transfers: (rank: number) => [
            { kind: "copy" as const, peer: rank, bytes: 7 },
            { kind: "send" as const, peer: (rank + 1) % (nodes * ranksPerNode), bytes },
            { kind: "receive" as const, peer: (rank + 1) % (nodes * ranksPerNode), bytes },
          ],
        }
        : {}),
    };
    tasks.push(task);
    return task;
  };
  const gate = add("gate", "gate", "compute", -1, []);
  const dispatch = add("dispatch", "dispatch", "compute", -1, [gate]);
  const lanes: Lane[] = nodes > 1 ? (ranksPerNode > 1 ? ["intra", "inter"] : ["inter"]) : ["intra"];
  const ends: Task[] = [];
  for (let chunk = 0; chunk < chunks; chunk++) {
    const c1 = add("C1", "compress", "compute", chunk, [dispatch]);
    const a1 = lanes.map((lane) => add("A1", "allToAll", lane, chunk, [c1]));
    const d1 = add("D1", "decompress", "compute", chunk, a1);
    const e = add("E", "expert", "compute", chunk, [d1]);
    const c2 = add("C2", "compress", "compute", chunk, [e]);
    const a2 = lanes.map((lane) => add("A2", "allToAll", lane, chunk, [c2]));
    ends.push(add("D2", "decompress", "compute", chunk, a2));
  }
  const combine = add("combine", "combine", "compute", chunks, ends);
  const graph: TaskGraph = {
    pass: "forward",
    chunks,
    topology: {
      nodes,
      ranksPerNode,
      ranks: nodes * ranksPerNode,
      links: { intra: link, inter: link, local: link },
      processor: { alpha: 0, flopRate: 1e13, byteRate: 1e12 },
    },
    tasks,
    buffers: {},
    configuration: {},
  };
  if (shape.sequential) {
    const after = tasks.slice(1).map((task, i) => [tasks[i], task] as const);
    return buildProgram(graph, { order: tasks, after }, "sequential");
  }
  const of = (...labels: string[]) => tasks.filter(({ label }) => labels.includes(label));
  const order = [gate, dispatch, ...of("C1"), ...of("A1"), ...of("D1", "E", "C2"), ...of("A2")];
  return buildProgram(graph, [...order, ...of("D2"), combine], "optSche");
}

/** Times of a program: lanes in order, transfers begin when all ranks are there. */
export function eventsOf({ order, graph, dependencies }: Program): EventTable {
  const { ranks, ranksPerNode } = graph.topology;
  const count = order.length * ranks;
  const events = {
    position: new Uint32Array(count),
    rank: new Uint32Array(count),
    ready: new Float64Array(count),
    start: new Float64Array(count),
    end: new Float64Array(count),
    wait: new Float64Array(count),
  };
  const free = Array.from({ length: ranks }, () => new Map<Lane, number>());
  for (const [at, { lane, label, kind }] of order.entries()) {
    const time = TIMES[kind === "allToAll" ? `${label} ${lane}` : label] * MS;
    for (let rank = 0; rank < ranks; rank++) {
      const row = at * ranks + rank;
      events.position[row] = at;
      events.rank[row] = rank;
      const before = dependencies[at].map((p) => events.end[p * ranks + rank]);
      events.ready[row] = Math.max(0, ...before);
      events.start[row] = Math.max(events.ready[row], free[rank].get(lane) ?? 0);
    }
    const latest = Math.max(...events.start.subarray(at * ranks, (at + 1) * ranks));
    for (let rank = 0; rank < ranks; rank++) {
      const row = at * ranks + rank;
      if (kind === "allToAll") events.wait[row] = latest - events.start[row];
      const slow = label === "E" ? 1 + ((rank * 7 + Math.floor(rank / ranksPerNode)) % 4) / 30 : 1;
      events.end[row] = events.start[row] + events.wait[row] + time * slow;
      free[rank].set(lane, events.end[row]);
    }
  }
  return events;
}

/** Timeline of a forward pass. */
export function forwardTimeline(shape: PassShape): Timeline {
  const program = forwardProgram(shape);
  return makeTimeline(program, eventsOf(program), { name: shape.name ?? program.scheduler });
}
