/**
 * Timelines as traces for Perfetto, chrome://tracing and PyTorch's tools.
 * @module
 */
import { checkFields } from "../../arguments/mod.ts";
import type { Program } from "../../engine.ts";
import { SchemoeError } from "../../types.ts";
import { column, isCommunication, numbers, oneRun, rows, type Subject } from "../table/columns.ts";
import { describer, ranksOf } from "./arguments.ts";
import { arrowsOf } from "./flows.ts";
import { layTracks, type TraceEvent, type Tracks } from "./tracks.ts";
import { quoted } from "../../words.ts";

/** Options of {@linkcode chromeTrace}. */
export interface ChromeTraceOptions {
  /** Programs that ran, for arrows from each sender to its receivers; see {@linkcode chromeTrace}. */
  readonly programs?: readonly Program[];
  /** At most that many arrows, shared equally among the transfers; default 20,000. */
  readonly arrows?: number;
  /** Only this rank, as Kineto writes one: what PyTorch's tools read, one file for each rank. */
  readonly rank?: number;
}

/** Version of what this project's own arguments mean. */
export const TRACE_VERSION = 1;
const MOST_ARROWS = 20_000;
const OPTIONS: Record<keyof ChromeTraceOptions, true> = {
  programs: true,
  arrows: true,
  rank: true,
};

/**
 * A timeline as text in the Trace Event Format (JSON): a process for each rank, a thread for each lane,
 * a slice for each row with a smaller one in it while it waits for a peer, and arrows from senders to
 * receivers. `fromChromeTrace` reads it back equal.
 *
 * `ts` and `dur` are microseconds rounded to nanoseconds; the arguments hold the times as they are, with
 * kind, chunk, bytes, rate and dependencies, and for communication the arguments that Kineto gives NCCL
 * kernels. Message sizes are such that the bus bandwidth of nccl-tests comes out as bytes sent by time.
 *
 * Arrows are the sends of `programs` (`run.ran.map(({ program }) => program)`). Without, they join the
 * rows of one phase on lane `intra` inside nodes, and on other lanes between nodes.
 *
 * With `rank`, slices of communication are called `ncclKernel_...`, by which Holistic Trace Analysis
 * knows them, and arrows and slices of waiting are left out, which it would count as work.
 *
 * ```ts
 * import { chromeTrace, fromCSV } from "@schemoe/lab/timeline";
 * const timeline = fromCSV(
 *   `run,pass,rank,node,lane,kind,chunk,name,label,ready_ns,start_ns,end_ns,wait_ns,bytes,flops,deps
 * demo,forward,0,0,compute,expert,0,E[0],E,0,0,1500,0,0,0,
 * `,
 * );
 * const { traceEvents } = JSON.parse(chromeTrace(timeline));
 * console.assert(traceEvents.at(-1).dur === 1.5);
 * ```
 * @throws {SchemoeError} naming an unknown option, a rank or column that is missing, or several runs.
 */
export function chromeTrace(timeline: Subject, options: ChromeTraceOptions = {}): string {
  check(options);
  const run = oneRun(timeline);
  const { rank } = options;
  const world = ranksOf(timeline);
  if (rank !== undefined && !world.has(rank)) {
    fail(`the timeline has no rank ${rank}, it has ${world.size} ranks`);
  }
  const tracks = layTracks(timeline);
  const shown = (event: TraceEvent) => rank === undefined || event.pid === rank;
  const parts = [
    ...tracks.metadata.filter(shown),
    ...slices(timeline, tracks, options),
    ...(rank === undefined ? flows(timeline, tracks, options) : []),
  ];
  const head = {
    schemaVersion: 1,
    schemoe: { version: TRACE_VERSION, run },
    ...(rank === undefined
      ? {}
      : { distributedInfo: { backend: "nccl", rank, world_size: world.size } }),
    displayTimeUnit: "ns",
    baseTimeNanoseconds: 0,
  };
  const lines = parts.map((event) => JSON.stringify(event)).join(",\n");
  return `${JSON.stringify(head).slice(0, -1)},"traceEvents":[\n${lines}\n]}\n`;
}

function* slices(timeline: Subject, tracks: Tracks, { rank: only }: ChromeTraceOptions) {
  const [rank, start, end, wait] = (["rank", "start_ns", "end_ns", "wait_ns"] as const)
    .map((name) => numbers(timeline, name));
  const name = column<string>(timeline, "name");
  const kind = column<string>(timeline, "kind");
  const describe = describer(timeline);
  for (const row of rows(timeline)) {
    const pid = rank.at(row);
    if (only !== undefined && pid !== only) continue;
    const tid = tracks.thread(row);
    const communication = isCommunication(kind.at(row));
    const called = only !== undefined && communication
      ? `${kind.at(row) === "allToAll" ? "ncclKernel_SendRecv" : "ncclKernel_AllReduce"} ${
        name.at(row)
      }`
      : name.at(row);
    const from = Math.round(start.at(row));
    const to = Math.max(from, Math.round(end.at(row)));
    const place = { pid, tid, ts: micros(from) };
    const args = { device: pid, stream: tid, ...describe(row) };
    yield { ph: "X", cat: "kernel", name: called, ...place, dur: micros(to - from), args };
    const waited = Math.min(to, Math.round(start.at(row) + wait.at(row))) - from;
    if (waited > 0 && only === undefined) {
      yield { ph: "X", cat: "wait", name: "waiting for a peer", ...place, dur: micros(waited) };
    }
  }
}

function* flows(timeline: Subject, tracks: Tracks, options: ChromeTraceOptions) {
  const [rank, start, end, wait] = (["rank", "start_ns", "end_ns", "wait_ns"] as const)
    .map((name) => numbers(timeline, name));
  const name = column<string>(timeline, "name");
  const arrows = arrowsOf(timeline, {
    programs: options.programs,
    most: options.arrows ?? MOST_ARROWS,
  });
  let id = 1;
  for (const { from, to } of arrows) {
    const begin = Math.round(start.at(from) + wait.at(from));
    // At its very end a slice is closed already; one that lasts for no time never is open.
    const finish = Math.round(end.at(to)) - 1;
    if (begin >= Math.round(end.at(from)) || finish < Math.round(start.at(to)) || finish < begin) {
      continue;
    }
    const common = { cat: "transfer", name: name.at(from), id: id++ };
    yield { ph: "s", ...common, pid: rank.at(from), tid: tracks.thread(from), ts: micros(begin) };
    yield {
      ph: "f",
      bp: "e",
      ...common,
      pid: rank.at(to),
      tid: tracks.thread(to),
      ts: micros(finish),
    };
  }
}

/** Whole nanoseconds as microseconds that give them back when cut off after multiplying by 1000. */
function micros(ns: number): number {
  const value = ns / 1000;
  return Math.trunc(value * 1000) === ns ? value : value + Math.sign(ns) * 1e-4;
}

function check(options: ChromeTraceOptions): void {
  checkFields(options, Object.keys(OPTIONS), { what: "options", fail });
  const { arrows } = options;
  if (arrows !== undefined && !(Number.isInteger(arrows) && arrows >= 0)) {
    fail(`arrows is ${quoted(arrows)}, not a whole number of at least 0`);
  }
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot write the timeline as a trace: ${problem}`);
}
