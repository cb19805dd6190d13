/** The processors that the lanes of ranks take turns on as threads do. @module */
import type { Instance, Step } from "./instance.ts";
import { columnOf, COMPUTE, LANE_COUNT } from "./lanes.ts";
import { TurnQueue } from "./turns.ts";

/** The simulation whose lanes they are. */
export interface TakesTurns {
  /** Begins what is launched on a slot, or goes on with what runs there. */
  runs(slot: number, time: number): void;
  /** Takes up the rate of a slot. */
  setRate(slot: number, time: number): void;
  /** Whether something runs on a slot. */
  works(slot: number): boolean;
  /** Asks for `ends(slot, turn)` at a time. */
  at(time: number, slot: number, turn: number): void;
}

export class ProcessorTurns {
  /** By column; empty where lanes are no threads. */
  readonly #queues: readonly TurnQueue[];
  readonly #transfers: boolean;
  readonly #lanes: TakesTurns;

  constructor({ topology: { sharing }, columns }: Instance, lanes: TakesTurns) {
    const turns = sharing?.turns?.slice === undefined ? undefined : sharing.turns;
    this.#lanes = lanes;
    this.#transfers = Boolean(turns?.transfers);
    const queues = (turns ? sharing!.capacity : []).map((capacity) =>
      new TurnQueue(
        capacity,
        { count: turns!.count ?? Math.ceil(capacity), slice: turns!.slice! },
        {
          runs: (slot, time) => {
            lanes.runs(slot, time);
            this.#refresh(slot, time);
          },
          stops: (slot, time) => lanes.setRate(slot, time),
          first: (slot) => turns!.transfers === "first" && slot % LANE_COUNT !== COMPUTE,
          works: (slot) => lanes.works(slot),
          at: (time, slot, turn) => lanes.at(time, slot, turn),
        },
      )
    );
    this.#queues = turns ? Array.from(columns.ranks, (rank) => queues[sharing!.of[rank]]) : [];
  }

  /** The queue in which an operation of a column needs a turn. */
  needed({ meeting }: Step, column: number): TurnQueue | undefined {
    return meeting && !this.#transfers ? undefined : this.#queues[column];
  }

  /** Gives the processor of a slot back, if it has one. */
  release(slot: number, time: number): void {
    const queue = this.#queues[columnOf(slot)];
    if (!queue?.holds(slot)) return;
    queue.release(slot, time);
    this.#refresh(slot, time);
  }

  ends(slot: number, turn: number, time: number): void {
    this.#queues[columnOf(slot)]!.turnEnds(slot, turn, time);
  }

  /** Those that run on a processor slow each other down where it runs more at once than at full speed. */
  #refresh(slot: number, time: number): void {
    const queue = this.#queues[columnOf(slot)];
    if (queue && queue.capacity < queue.turns.count) {
      for (const other of queue.running) this.#lanes.setRate(other, time);
    }
  }
}
