/** How long a run was meant to take. @module */
import type { Operation, Operations } from "../table/operations.ts";

/**
 * Nanoseconds that a run takes in its own order when each operation takes what `meant` gives: it begins
 * once its dependencies are done and its lane is free, and one that waited for peers once they have
 * come to the same phase too. What came after a barrier, such as a Program after another, follows it
 * by as much as it did.
 *
 * @param meant nanoseconds without waiting for peers.
 */
export function intendedMakespan(
  operations: Operations,
  meant: (operation: Operation) => number,
): number {
  const { all, tolerance } = operations;
  const ready = new Map<Operation, number>();
  const ends = new Map<Operation, number>();
  const readyOf = (operation: Operation): number => {
    const known = ready.get(operation);
    if (known !== undefined) return known;
    // rounded times of an imported trace could name each other
    ready.set(operation, 0);
    let at = 0;
    for (const before of operations.before(operation)) at = Math.max(at, endOf(before));
    const { why, operation: barrier } = operations.cause(operation);
    if (why === "barrier") at = Math.max(at, endOf(barrier!) + operation.start - barrier!.end);
    ready.set(operation, at);
    return at;
  };
  const endOf = (operation: Operation): number => {
    const known = ends.get(operation);
    if (known !== undefined) return known;
    let at = readyOf(operation);
    for (const peer of operations.peers(operation)) {
      // two that exchange both begin after both have come: others of the phase are no peers of each other
      const met = Math.min(peer.begun, operation.begun) + tolerance;
      if (peer.start <= met && operation.start <= met) at = Math.max(at, readyOf(peer));
    }
    at += meant(operation);
    ends.set(operation, at);
    return at;
  };
  // by start, so that what an operation asks for is mostly known
  const inOrder = all.toSorted((a, b) => a.start - b.start || a.end - b.end);
  return inOrder.reduce((latest, operation) => Math.max(latest, endOf(operation)), 0);
}
