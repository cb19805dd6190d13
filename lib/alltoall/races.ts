/** Accesses to a slot that come in no order, at least one of them a write. @module */
import type { Slice } from "./types.ts";
import type { Moves } from "./moves.ts";
import { PhaseOrder } from "./phase_order.ts";

/** Two unordered accesses of different moves to a slot; the second is a write. */
export interface Race {
  /** Rank whose memory it is. */
  readonly rank: number;
  /** Where. */
  readonly slice: Slice;
  /** What the first move does there. */
  readonly first: "reads" | "writes";
  /** Phases of both. */
  readonly phases: readonly [number, number];
  /** Whether both moves are receives; default false. */
  readonly received?: boolean;
}

/**
 * The first race of a plan: memory that two moves use in no order, and that one of them writes. It is one where both
 * write the same value too, and where no output depends on it: engines move bytes in pieces, on threads and devices
 * that promise nothing for memory which is written while somebody else uses it.
 *
 * A move that reads what it writes, as a sum into one of its terms, does not race with itself.
 */
export function raceOf({ phases, phase, from, to, added, slots }: Moves): Race | undefined {
  const order = new PhaseOrder(phases);
  const unordered = (a: number, b: number) =>
    a !== b && !order.before(phase[a], phase[b]) && !order.before(phase[b], phase[a]);
  const found = (slot: number, first: Race["first"], moves: readonly [number, number]): Race => {
    const { rank, slice } = slots.where(slot);
    const received = moves.every((move) => slots.where(from[move]).rank !== rank);
    return { rank, slice, first, phases: [phase[moves[0]], phase[moves[1]]], received };
  };
  // the writes of each slot as a chain, since most slots have one or none
  const newest = new Int32Array(slots.count).fill(-1);
  const older = new Int32Array(to.length);
  for (let move = 0; move < to.length; move++) {
    const slot = to[move];
    for (let write = newest[slot]; write >= 0; write = older[write]) {
      if (unordered(write, move)) return found(slot, "writes", [write, move]);
    }
    older[move] = newest[slot];
    newest[slot] = move;
  }
  for (let move = 0; move < to.length; move++) {
    const terms = added.get(move);
    for (let k = -1; k < (terms?.length ?? 0); k++) {
      const slot = k < 0 ? from[move] : terms![k];
      for (let write = newest[slot]; write >= 0; write = older[write]) {
        if (unordered(move, write)) return found(slot, "reads", [move, write]);
      }
    }
  }
  return undefined;
}
