/**
 * The rows of one run as objects that know their neighbours: for metrics that follow causes.
 * @module
 */
import {
  column,
  isCommunication,
  numbers,
  oneRun,
  rows,
  type Subject,
  type Timeline,
} from "./columns.ts";
import { timelineOf } from "./subject.ts";

/** One row of a timeline. Times are nanoseconds. */
export interface Operation {
  /** Row number in the table. */
  readonly row: number;
  readonly rank: number;
  readonly node: number;
  readonly lane: string;
  readonly kind: string;
  readonly pass: string;
  readonly name: string;
  readonly label: string;
  readonly chunk: number | null;
  readonly ready: number;
  readonly start: number;
  /** Start of the work itself: `start` plus the time it waited for a peer. */
  readonly begun: number;
  readonly end: number;
  readonly bytes: number;
  readonly deps: readonly string[];
}

/** Why an operation began when it did, and the operation whose end (for a peer: start) let it. */
export interface Cause {
  /**
   * `dependency`: a task that it depends on; `lane`: the task before it on its lane; `barrier`: the
   * last task to end before it on any rank, where the table names no dependency and its lane was free:
   * the end of an earlier Program, or a guess in an imported trace; `start`: nothing came before.
   */
  readonly why: "dependency" | "lane" | "barrier" | "start";
  readonly operation?: Operation;
}

/** Operations of one run, by what links them. */
export interface Operations {
  readonly all: readonly Operation[];
  readonly begin: number;
  readonly end: number;
  /** Times that differ by less are equal: rounding of nanoseconds in floating point. */
  readonly tolerance: number;
  /** Operations of each rank and lane by start. */
  readonly lanes: ReadonlyMap<string, readonly Operation[]>;
  /** Cause of the waiting before it started. */
  cause(operation: Operation): Cause;
  /** The dependency of an operation that ended last. */
  lastDependency(operation: Operation): Operation | undefined;
  /** What had to end before it: its dependencies, and the operation before it on its lane. */
  before(operation: Operation): readonly Operation[];
  /** The same phase on the other ranks; inside a node, on those of its node. */
  peers(operation: Operation): readonly Operation[];
  /** The same task on another rank: of several of its name as many as come before it. */
  counterpart(operation: Operation, rank: number): Operation | undefined;
  /** The peer that an operation waited for: the same phase on the rank that came to it last. */
  peer(operation: Operation): Operation | undefined;
}

/** Operations of timelines while some measure still holds them: one explanation asks several. */
const known = new WeakMap<Timeline, WeakRef<Operations>>();

/**
 * Reads a timeline.
 *
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function operationsOf(timeline: Subject): Operations {
  const table = timelineOf(timeline);
  let found = known.get(table)?.deref();
  if (!found) known.set(table, new WeakRef(found = linked(table)));
  return found;
}

function linked(timeline: Timeline): Operations {
  oneRun(timeline);
  const all = read(timeline);
  let begin = Infinity, end = -Infinity;
  for (const operation of all) {
    begin = Math.min(begin, operation.start);
    end = Math.max(end, operation.end);
  }
  if (all.length === 0) begin = end = 0;
  const tolerance = Math.max(0.5, 1e-7 * (end - begin));
  const byStart = all.toSorted((a, b) => a.start - b.start || a.end - b.end);
  const lanes = groupBy(byStart, ({ rank, lane }) => `${rank} ${lane}`);
  const named = groupBy(byStart, ({ rank, pass, name }) => `${rank} ${pass} ${name}`);
  const phases = phasesOf(named);
  const before = new Map<Operation, Operation>();
  for (const lane of lanes.values()) {
    for (let i = 1; i < lane.length; i++) {
      // an imported lane may hold bars inside others: what counts is the one that ended last
      const last = before.get(lane[i - 1]);
      before.set(lane[i], last && last.end > lane[i - 1].end ? last : lane[i - 1]);
    }
  }
  const byEnd = all.toSorted((a, b) => a.end - b.end);
  const dependencies = (operation: Operation) =>
    operation.deps.map((name) =>
      named.get(`${operation.rank} ${operation.pass} ${name}`)?.findLast(
        (other) => other !== operation && other.end <= operation.start + tolerance,
      )
    ).filter((found) => found !== undefined);
  const lastDependency = (operation: Operation) => {
    let latest: Operation | undefined;
    for (const found of dependencies(operation)) {
      if (!latest || found.end > latest.end) latest = found;
    }
    return latest;
  };
  const peers = (operation: Operation) =>
    (phases.get(operation) ?? []).filter((other) =>
      other !== operation && (operation.lane !== "intra" || other.node === operation.node)
    );
  return {
    all,
    begin,
    end,
    tolerance,
    lanes,
    lastDependency,
    before(operation) {
      const lane = before.get(operation);
      return lane ? [...dependencies(operation), lane] : dependencies(operation);
    },
    peers,
    counterpart(operation, rank) {
      const of = (on: number) => named.get(`${on} ${operation.pass} ${operation.name}`) ?? [];
      const own = of(operation.rank);
      return of(rank)[own.length === 1 ? 0 : own.indexOf(operation)];
    },
    cause(operation) {
      const dependency = lastDependency(operation);
      const lane = before.get(operation);
      const latest = !dependency || lane && lane.end > dependency.end + tolerance
        ? lane
        : dependency;
      const explained = latest && latest.end >= operation.start - tolerance;
      if (!explained && operation.deps.length === 0) {
        const barrier = lastEnded(byEnd, operation, tolerance);
        if (barrier && (!latest || barrier.end > latest.end + tolerance)) {
          return { why: "barrier", operation: barrier };
        }
      }
      if (!latest) return { why: "start" };
      return { why: latest === dependency ? "dependency" : "lane", operation: latest };
    },
    peer(operation) {
      if (operation.begun - operation.start <= tolerance) return undefined;
      let last: Operation | undefined;
      for (const other of peers(operation)) {
        if (other.start > operation.begun + tolerance) continue;
        if (other.start > operation.start && (!last || other.start > last.start)) last = other;
      }
      return last;
    },
  };
}

function read(timeline: Subject): Operation[] {
  const text = (name: "lane" | "kind" | "pass" | "name" | "label") =>
    column<string>(timeline, name);
  const [lane, kind, pass, name, label] = [
    text("lane"),
    text("kind"),
    text("pass"),
    text("name"),
    text("label"),
  ];
  const chunk = column<number | null>(timeline, "chunk");
  const deps = column<string | null>(timeline, "deps");
  const [rank, node] = [numbers(timeline, "rank"), numbers(timeline, "node")];
  const [ready, start] = [numbers(timeline, "ready_ns"), numbers(timeline, "start_ns")];
  const [end, wait] = [numbers(timeline, "end_ns"), numbers(timeline, "wait_ns")];
  const bytes = numbers(timeline, "bytes");
  const split = new Map<string | null, readonly string[]>([[null, []]]);
  return Array.from(rows(timeline), (row) => {
    const joined = deps.at(row) ?? null;
    let list = split.get(joined);
    if (!list) split.set(joined, list = joined!.split(";"));
    return {
      row,
      rank: rank.at(row),
      node: node.at(row),
      lane: lane.at(row),
      kind: kind.at(row),
      pass: pass.at(row),
      name: name.at(row),
      label: label.at(row),
      chunk: chunk.at(row) ?? null,
      ready: ready.at(row),
      start: start.at(row),
      begun: start.at(row) + wait.at(row),
      end: end.at(row),
      bytes: bytes.at(row),
      deps: list,
    };
  });
}

/** For each communication, the same one on all ranks: the k-th of its name, for traces repeat names. */
function phasesOf(named: ReadonlyMap<string, readonly Operation[]>) {
  const groups = new Map<string, Operation[]>();
  const phases = new Map<Operation, readonly Operation[]>();
  for (const list of named.values()) {
    for (const [i, operation] of list.entries()) {
      if (!isCommunication(operation.kind)) continue;
      const key = `${operation.pass} ${operation.name} ${i}`;
      const group = groups.get(key) ?? [];
      if (group.length === 0) groups.set(key, group);
      group.push(operation);
      phases.set(operation, group);
    }
  }
  return phases;
}

/** Of the operations that ended by the start of another, the last one; of its own rank if equal. */
function lastEnded(byEnd: readonly Operation[], operation: Operation, tolerance: number) {
  let low = 0, high = byEnd.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byEnd[middle].end <= operation.start + tolerance) low = middle + 1;
    else high = middle;
  }
  let found: Operation | undefined;
  for (let i = low - 1; i >= 0; i--) {
    const other = byEnd[i];
    if (found && other.end < found.end - tolerance) break;
    if (other === operation || other.start >= operation.start) continue;
    found ??= other;
    if (other.rank === operation.rank) return other;
  }
  return found;
}

/** Items of each key, in their order. */
export function groupBy<T>(items: Iterable<T>, key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const at = key(item);
    const group = groups.get(at);
    if (group) group.push(item);
    else groups.set(at, [item]);
  }
  return groups;
}
