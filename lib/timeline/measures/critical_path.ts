/** @module */
import { table } from "arquero";
import type { Subject, Timeline } from "../table/columns.ts";
import { type Operation, type Operations, operationsOf } from "../table/operations.ts";

/** A piece of the critical path: work of one operation, after a gap in which nothing led to it. */
export interface PathStep {
  readonly operation: Operation;
  /** The part of the operation that is on the path ends with it. */
  readonly begin: number;
  readonly end: number;
  /** Time between the step before and this one, explained by nothing in the table. */
  readonly gap: number;
  /** Why it did not begin earlier. */
  readonly why: "dependency" | "lane" | "barrier" | "peer" | "start";
}

/**
 * The chain of work that makes the makespan, from its begin to its end: a table in the order of time
 * with `rank`, `node`, `lane`, `kind`, `chunk`, `name`, `begin_ns`, `end_ns`, `gap_ns` and `why`.
 *
 * It is followed backwards from the operation that ends last. An operation began when its last
 * dependency was done or its lane became free, whichever was later; one that waited for a peer began
 * to transfer when the last rank started the same phase, and the path goes on there. `why` says which
 * of these it was: `dependency`, `lane`, `peer`, `start`, or `barrier`: the
 * last task to end before it, where the table names no dependency (the end of an earlier Program; in
 * imported traces a guess).
 * The lengths of all steps and gaps add up to the makespan.
 *
 * The method is the backward replay of a trace known from message-passing programs (Yang and Miller,
 * "Critical path analysis for the execution of parallel and distributed programs", ICDCS 1988).
 *
 * At the root of the package it is called `criticalPathOf`, for a scheduler has its name.
 *
 * ```ts
 * import { criticalPath, fromCSV } from "@schemoe/lab/timeline";
 * const path = criticalPath(fromCSV(
 *   `run,pass,rank,node,lane,kind,chunk,name,label,ready_ns,start_ns,end_ns,wait_ns,bytes,flops,deps
 * demo,forward,0,0,compute,expert,0,E[0],E,0,0,10,0,0,0,
 * demo,forward,0,0,inter,allToAll,0,A2[0],A2,10,10,15,0,4096,0,E[0]
 * `));
 * console.assert(path.array("name").join() === "E[0],A2[0]");
 * ```
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function criticalPath(timeline: Subject): Timeline {
  const { steps } = followPath(operationsOf(timeline));
  return table({
    rank: Uint32Array.from(steps, ({ operation }) => operation.rank),
    node: Uint32Array.from(steps, ({ operation }) => operation.node),
    lane: steps.map(({ operation }) => operation.lane),
    kind: steps.map(({ operation }) => operation.kind),
    chunk: steps.map(({ operation }) => operation.chunk),
    name: steps.map(({ operation }) => operation.name),
    begin_ns: Float64Array.from(steps, ({ begin }) => begin),
    end_ns: Float64Array.from(steps, ({ end }) => end),
    gap_ns: Float64Array.from(steps, ({ gap }) => gap),
    why: steps.map(({ why }) => why),
  });
}

/** The steps of the critical path, in the order of time. */
export function followPath(operations: Operations): { readonly steps: readonly PathStep[] } {
  const { all, begin, tolerance } = operations;
  let at = all.reduce<Operation | undefined>((a, b) => a && a.end >= b.end ? a : b, undefined);
  const steps: PathStep[] = [];
  const seen = new Set<Operation>();
  let until = operations.end;
  while (at && !seen.has(at)) {
    seen.add(at);
    const peer = operations.peer(at);
    const from = peer ? Math.min(peer.start, until) : Math.min(at.start, until);
    // what holds the peer up holds this one up
    const cause = operations.cause(peer ?? at);
    const previous = cause.operation && !seen.has(cause.operation) ? cause.operation : undefined;
    const edge = previous ? Math.min(previous.end, from) : begin;
    const gap = from - edge > tolerance ? from - edge : 0;
    steps.push({
      operation: at,
      begin: gap > 0 ? from : edge,
      end: until,
      gap,
      why: peer ? "peer" : cause.why,
    });
    until = edge;
    at = previous;
  }
  return { steps: steps.reverse() };
}
