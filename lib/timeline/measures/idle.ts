/** @module */
import { table } from "arquero";
import type { Subject, Timeline } from "../table/columns.ts";
import { type Operation, type Operations, operationsOf } from "../table/operations.ts";

/** A time in which a lane does no work; nanoseconds. */
export interface Gap {
  readonly rank: number;
  readonly lane: string;
  readonly begin: number;
  readonly end: number;
  readonly cause: "task" | "peer" | "overhead" | "barrier" | "unknown" | "nothing left";
  /** What begins afterwards. */
  readonly before?: Operation;
  /** Cause of the waiting. */
  readonly waits?: Operation;
}

/**
 * Each time in which a lane of a rank does no work, and why: a table by rank, lane and time with
 * `rank`, `lane`, `begin_ns`, `end_ns`, `idle_ns`, `cause`, `before` (the task that begins
 * afterwards), `waits_for`, `waits_rank` and `waits_lane` (null where there is none).
 *
 * | cause | the lane waits |
 * |---|---|
 * | `task` | for a task on another lane of its rank, named in `waits_for` |
 * | `peer` | inside a transfer, for the rank `waits_rank` to begin the same phase |
 * | `overhead` | for nothing: the task was ready and did not begin yet |
 * | `barrier` | for `waits_for`, the last task to end before, no dependency being named: an earlier Program |
 * | `unknown` | for something that the table does not name, as in imported traces |
 * | `nothing left` | for the end of the run |
 *
 * The times of a lane add up to `waiting_ns + idle_ns` of `busy`.
 *
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function idle(timeline: Subject): Timeline {
  const gaps = idleGaps(operationsOf(timeline));
  return table({
    rank: Uint32Array.from(gaps, (gap) => gap.rank),
    lane: gaps.map((gap) => gap.lane),
    begin_ns: Float64Array.from(gaps, (gap) => gap.begin),
    end_ns: Float64Array.from(gaps, (gap) => gap.end),
    idle_ns: Float64Array.from(gaps, (gap) => gap.end - gap.begin),
    cause: gaps.map((gap) => gap.cause),
    before: gaps.map((gap) => gap.before?.name ?? null),
    waits_for: gaps.map((gap) => gap.waits?.name ?? null),
    waits_rank: gaps.map((gap) => gap.waits?.rank ?? null),
    waits_lane: gaps.map((gap) => gap.waits?.lane ?? null),
  });
}

/** The same as objects. */
export function idleGaps(operations: Operations): Gap[] {
  return [...operations.lanes.values()].flatMap((lane) => gapsOf(operations, lane))
    .toSorted((a, b) =>
      a.rank - b.rank || (a.lane < b.lane ? -1 : a.lane > b.lane ? 1 : a.begin - b.begin)
    );
}

function gapsOf(operations: Operations, lane: readonly Operation[]): Gap[] {
  const { tolerance } = operations;
  const gaps: Gap[] = [];
  const at = { rank: lane[0].rank, lane: lane[0].lane };
  const add = (gap: Omit<Gap, "rank" | "lane">) => {
    if (gap.end - gap.begin > tolerance) gaps.push({ ...at, ...gap });
  };
  let free = operations.begin;
  for (const before of lane) {
    if (before.start > free) {
      const dependency = operations.lastDependency(before);
      const known = dependency && dependency.end > free + tolerance;
      const { why, operation } = operations.cause(before);
      const ready = known
        ? Math.min(dependency.end, before.start)
        : why === "barrier"
        ? Math.min(operation!.end, before.start)
        : Math.max(free, Math.min(before.ready, before.start));
      if (known) add({ cause: "task", begin: free, end: ready, before, waits: dependency });
      else if (why === "barrier") {
        add({ cause: "barrier", begin: free, end: ready, before, waits: operation });
      } else add({ cause: "unknown", begin: free, end: ready, before });
      const rest = before.deps.length === 0 && why !== "barrier" && !known ? "unknown" : "overhead";
      add({ cause: rest, begin: ready, end: before.start, before });
    }
    const waited = Math.max(free, before.start);
    if (before.begun > waited) {
      const waits = operations.peer(before);
      add({ cause: "peer", begin: waited, end: before.begun, before, waits });
    }
    free = Math.max(free, before.end);
  }
  add({ cause: "nothing left", begin: free, end: operations.end });
  return gaps;
}
