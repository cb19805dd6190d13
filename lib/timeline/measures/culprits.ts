/** Which ranks a wait is due to, where the rank that was last had itself been held up. @module */
import { isCommunication } from "../table/columns.ts";
import type { Operation, Operations } from "../table/operations.ts";

/** Nanoseconds of a wait that are due to a rank. */
export interface Culprit {
  readonly rank: number;
  readonly ns: number;
}

/**
 * Tells the ranks that the waiting of an operation for a peer is due to, the largest part first; empty where nobody is
 * found that it waited for.
 *
 * The peer that was last need not be the cause: it may come late from an exchange in which it waited too. So the tasks
 * before both are compared, back in time: what the peer lost in a task, or between tasks, against the same task of the
 * rank that waits is its own; what it lost by waiting for a third rank more than the other did is followed there.
 */
export function culpritsOf(operations: Operations): (waiting: Operation) => readonly Culprit[] {
  const { tolerance } = operations;
  const causes = new Map<Operation, Operation | undefined>();
  const peers = new Map<Operation, Operation | undefined>();
  const once =
    <T>(known: Map<Operation, T>, of: (operation: Operation) => T) => (at: Operation) => {
      if (!known.has(at)) known.set(at, of(at));
      return known.get(at) as T;
    };
  const peerOf = once(peers, operations.peer);
  const before = once(causes, (operation) => {
    const { operation: found } = operations.cause(operation);
    return found?.rank === operation.rank ? found : undefined;
  });

  return (waiting) => {
    const found = new Map<number, number>();
    const blame = (rank: number, ns: number) => {
      if (ns > tolerance) found.set(rank, (found.get(rank) ?? 0) + ns);
    };
    /** Operations that were late, each with the same on a rank that was not, and by how much. */
    const late: { operation: Operation; than?: Operation; ns: number }[] = [];
    const seen = new Set<Operation>();
    const follow = (operation: Operation, than: Operation | undefined, ns: number) => {
      if (ns <= tolerance) return;
      // there is no way back from what has been followed
      if (seen.has(operation)) blame(operation.rank, ns);
      else late.push({ operation, than, ns });
      seen.add(operation);
    };
    const first = peerOf(waiting);
    if (first) follow(first, waiting, waiting.begun - waiting.start);
    for (let at = late.pop(); at; at = late.pop()) {
      const { operation, than, ns } = at;
      const previous = before(operation);
      const other = previous && than && operations.counterpart(previous, than.rank);
      if (!previous || !other) {
        blame(operation.rank, ns);
        continue;
      }
      const ended = part(previous.end - other.end, ns);
      const started = part(previous.start - other.start, ended);
      let own = ns - started;
      const peer = isCommunication(previous.kind) ? peerOf(previous) : undefined;
      if (peer) {
        const waited = waitOf(previous) - waitOf(other);
        const lost = part(waited, ended - started);
        own -= lost;
        follow(peer, previous, lost);
      }
      blame(operation.rank, own);
      follow(previous, other, started);
    }
    return [...found].map(([rank, ns]) => ({ rank, ns }))
      .sort((a, b) => b.ns - a.ns || a.rank - b.rank);
  };
}

/** A part of a time: at least none of it, at most all. */
const part = (ns: number, all: number) => Math.min(Math.max(ns, 0), all);

const waitOf = ({ start, begun }: Operation) => begun - start;
