/** Events of the native library as columns. @module */
import type { EventTable } from "../engine.ts";
import { EVENT_WORDS } from "./engine.ts";

/**
 * Events in the order of operations, as columns, which are made when one is first read: a short run should not wait for
 * them.
 */
export function eventTable(
  events: BigUint64Array<ArrayBuffer>,
  ranks: number,
  paced?: Float64Array,
): EventTable {
  let made: EventTable | undefined;
  const columns = () => made ??= columnsOf(events, ranks);
  return {
    get position() {
      return columns().position;
    },
    get rank() {
      return columns().rank;
    },
    get ready() {
      return columns().ready;
    },
    get start() {
      return columns().start;
    },
    get end() {
      return columns().end;
    },
    get wait() {
      return columns().wait;
    },
    ...(paced ? { paced } : {}),
  };
}

function columnsOf(events: BigUint64Array<ArrayBuffer>, ranks: number): EventTable {
  const count = events.length / EVENT_WORDS;
  // Halves of the words, low first: numbers from bigints would take ten times as long.
  const halves = new Uint32Array(events.buffer);
  const column = (word: number) => {
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const at = 2 * (EVENT_WORDS * i + word);
      values[i] = halves[at] + halves[at + 1] * 2 ** 32;
    }
    return values;
  };
  const [position, rank] = [new Uint32Array(count), new Uint32Array(count)];
  for (let i = 0; i < count; i++) {
    position[i] = Math.floor(i / ranks);
    rank[i] = i % ranks;
  }
  return {
    position,
    rank,
    ready: column(0),
    start: column(1),
    end: column(2),
    wait: column(3),
  };
}
