/**
 * Tracks of a trace: a process for each rank, a thread for each lane.
 * @module
 */
import { column, numbers, rows, type Subject } from "../table/columns.ts";
import { laneOrder } from "../chart/layout.ts";

/** An event of the Trace Event Format. */
export type TraceEvent = Readonly<Record<string, unknown>>;

/** Where the rows of a timeline go. */
export interface Tracks {
  /** Thread of a row. */
  readonly thread: (row: number) => number;
  /** Names and places of processes and threads. */
  readonly metadata: readonly TraceEvent[];
}

/** One lane of one rank with its rows, which may overlap in imported timelines. */
interface LaneTrack {
  readonly rank: number;
  readonly node: number;
  readonly lane: string;
  /** When each of its threads is free again: rows that overlap go to threads of their own. */
  readonly free: number[];
}

/** Threads of each lane. */
const STRIDE = 1000;

/**
 * Lays out rows; a lane that runs one task at a time gets one thread. Viewers drop slices that overlap
 * others of their thread without being nested.
 */
export function layTracks(timeline: Subject): Tracks {
  const [rank, node] = [numbers(timeline, "rank"), numbers(timeline, "node")];
  const lane = column<string>(timeline, "lane");
  const [start, end] = [numbers(timeline, "start_ns"), numbers(timeline, "end_ns")];
  const list = Array.from(rows(timeline));
  const lanes = laneOrder(new Set(list.map((row) => lane.at(row))));
  const base = new Map(lanes.map((name, i) => [name, 1 + STRIDE * i]));
  const tracks = new Map<string, LaneTrack>();
  const threads = new Map<number, number>();
  for (const row of list.toSorted((a, b) => start.at(a) - start.at(b) || end.at(b) - end.at(a))) {
    const at = { rank: rank.at(row), node: node.at(row), lane: lane.at(row) };
    const key = `${at.rank} ${at.lane}`;
    const track = tracks.get(key) ?? { ...at, free: [] };
    tracks.set(key, track);
    const found = track.free.findIndex((time) => time <= start.at(row));
    const slot = found >= 0 ? found : Math.min(track.free.length, STRIDE - 1);
    track.free[slot] = end.at(row);
    threads.set(row, base.get(at.lane)! + slot);
  }
  const places = [...tracks.values()].toSorted((a, b) =>
    a.rank - b.rank || base.get(a.lane)! - base.get(b.lane)!
  );
  return {
    thread: (row) => threads.get(row)!,
    metadata: places.flatMap((track, i) => [
      ...(i > 0 && places[i - 1].rank === track.rank ? [] : processNames(track)),
      ...track.free.flatMap((_, slot) => threadNames(track, base.get(track.lane)! + slot, slot)),
    ]),
  };
}

const processNames = ({ rank, node }: LaneTrack) => [
  name("process_name", { pid: rank, tid: 1 }, { name: `rank ${rank} · node ${node}` }),
  name("process_labels", { pid: rank, tid: 1 }, { labels: `node ${node}` }),
  name("process_sort_index", { pid: rank, tid: 1 }, { sort_index: rank }),
];

const threadNames = ({ rank, lane }: LaneTrack, tid: number, slot: number) => [
  name("thread_name", { pid: rank, tid }, { name: slot > 0 ? `${lane} (${slot + 1})` : lane }),
  name("thread_sort_index", { pid: rank, tid }, { sort_index: tid }),
];

const name = (what: string, at: { pid: number; tid: number }, args: object): TraceEvent => ({
  ph: "M",
  name: what,
  ts: 0,
  ...at,
  args,
});
