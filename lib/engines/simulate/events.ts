/** Tables of the times of operations. @module */
import type { EventTable } from "../../engine.ts";

/** A table with a row for each position and column, position after position, all times 0. */
export function emptyEvents(positions: number, ranks: ArrayLike<number>): EventTable {
  const operations = positions * ranks.length;
  const column = () => new Float64Array(operations);
  const position = new Uint32Array(operations);
  const rank = new Uint32Array(operations);
  for (let p = 0, at = 0; p < positions; p++) {
    for (let i = 0; i < ranks.length; i++, at++) {
      position[at] = p;
      rank[at] = ranks[i];
    }
  }
  return { position, rank, ready: column(), start: column(), end: column(), wait: column() };
}

/** Times that were written in seconds, in place. */
export function inNanoseconds(events: EventTable): EventTable {
  for (const times of [events.ready, events.start, events.end, events.wait]) {
    for (let i = 0; i < times.length; i++) times[i] *= 1e9;
  }
  return events;
}
