/** Simulation without a clock, for operations that take the same time whatever else runs. @module */
import type { EventTable } from "../../engine.ts";
import { emptyEvents, inNanoseconds } from "./events.ts";
import type { Instance } from "./instance.ts";

/**
 * Times of all operations, position after position: all ranks run subsequences of one total order, so
 * the dependencies of an operation are done before its turn. Takes time in the number of operations.
 */
export function simulateInOrder({ columns, steps }: Instance): EventTable {
  const { length } = columns.ranks;
  const events = emptyEvents(steps.length, columns.ranks);
  const { ready, start, end, wait } = events;
  const free = Array.from({ length: 3 }, () => new Float64Array(length));
  const begin = new Float64Array(length);
  for (const [position, { lane, waits, seconds, meeting, launch }] of steps.entries()) {
    const base = position * length;
    for (const before of waits) {
      const from = before * length;
      for (let i = 0; i < length; i++) {
        if (end[from + i] > ready[base + i]) ready[base + i] = end[from + i];
      }
    }
    const idle = free[lane];
    for (let i = 0; i < length; i++) {
      const [waited, before] = [ready[base + i], idle[i]];
      const late = waited > before ? launch.wait : before > 0 ? launch.next : launch.begin;
      start[base + i] = Math.max(waited, before) + late;
    }
    if (meeting) {
      meeting.latest(start.subarray(base, base + length), begin);
      for (let i = 0; i < length; i++) {
        wait[base + i] = begin[i] - start[base + i];
        idle[i] = end[base + i] = begin[i] + seconds[i];
      }
    } else {
      for (let i = 0; i < length; i++) idle[i] = end[base + i] = start[base + i] + seconds[i];
    }
  }
  return inNanoseconds(events);
}
