/** Kernels of the ranks of a GPU, in its queue. @module */
import type { Instance, Step } from "./instance.ts";
import { columnOf } from "./lanes.ts";

/**
 * So many processors, which tasks take in the order in which they came: each as much as it needs to run at full speed, or
 * what those before it leave. So a large one keeps others waiting, and small ones run beside each other.
 */
class KernelQueue {
  /** Parts of a processor that lanes need, the first to come first, and the part of its speed that each gets. */
  readonly #widths = new Map<number, number>();
  readonly #rates = new Map<number, number>();

  constructor(readonly processors: number) {}

  get slots(): Iterable<number> {
    return this.#widths.keys();
  }

  rate(slot: number): number {
    return this.#rates.get(slot)!;
  }

  add(slot: number, width: number): void {
    this.#widths.set(slot, width);
    this.#share();
  }

  remove(slot: number): void {
    this.#widths.delete(slot);
    this.#share();
  }

  #share(): void {
    let left = this.processors;
    // what needs more than a processor is slowed down by others, and by itself it has all that it can use
    const most = this.#widths.size > 1 ? Infinity : 1;
    for (const [slot, needed] of this.#widths) {
      const width = Math.min(most, needed);
      this.#rates.set(slot, Math.min(1, left / width));
      left = Math.max(0, left - width);
    }
  }
}

/** The queues of a world whose tasks wait in some: turns on processors without a slice. */
export class KernelQueues {
  /** By column; empty where there are none. */
  readonly #queues: readonly KernelQueue[];
  readonly #transfers: boolean;

  /** @param setRate takes up the rate of a slot. */
  constructor(
    { topology: { sharing }, columns }: Instance,
    readonly setRate: (slot: number, time: number) => void,
  ) {
    const { turns } = sharing ?? {};
    this.#transfers = turns?.transfers !== undefined;
    const queues = turns && turns.slice === undefined
      ? sharing!.capacity.map((capacity) =>
        new KernelQueue(Math.min(capacity, turns.count ?? Infinity))
      )
      : [];
    this.#queues = queues.length > 0
      ? Array.from(columns.ranks, (rank) => queues[sharing!.of[rank]])
      : [];
  }

  /** Puts what begins to work on a slot behind all that came before it. */
  add(slot: number, step: Step, time: number): void {
    const column = columnOf(slot);
    const queue = this.#of(step, column);
    if (!queue) return;
    queue.add(slot, step.widths?.[column] ?? 1);
    for (const other of queue.slots) this.setRate(other, time);
  }

  remove(slot: number, step: Step, time: number): void {
    const queue = this.#of(step, columnOf(slot));
    if (!queue) return;
    queue.remove(slot);
    for (const other of queue.slots) this.setRate(other, time);
  }

  /** Part of its full speed that what works on a slot gets, 0 while it waits; undefined for what waits in no queue. */
  rate(slot: number, step: Step): number | undefined {
    return this.#of(step, columnOf(slot))?.rate(slot);
  }

  #of({ meeting }: Step, column: number): KernelQueue | undefined {
    return meeting && !this.#transfers ? undefined : this.#queues[column];
  }
}
