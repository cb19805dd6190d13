/**
 * Slices of a trace: complete events, and pairs of begin and end, whatever their order in the file.
 * @module
 */
import { SchemoeError } from "../../types.ts";

/** Something that lasted. */
export interface Slice {
  readonly name: string;
  readonly category: string;
  readonly process: number | string;
  readonly thread: number | string;
  /** Microseconds. */
  readonly begin: number;
  readonly duration: number;
  readonly args: Readonly<Record<string, unknown>>;
  /** Number of the event in its file. */
  readonly number: number;
}

/** An event as it may be in a file. */
type RawEvent = Readonly<Record<string, unknown>>;

/** Takes the events of one file. */
export class SliceReader {
  /** Names of threads, by process and thread. */
  readonly threads = new Map<string, string>();
  readonly #file: string;
  readonly #take: (slice: Slice) => void;
  readonly #open: { event: RawEvent; number: number; begin: boolean; time: number }[] = [];
  #latest = -Infinity;
  #number = 0;

  constructor(file: string, take: (slice: Slice) => void) {
    this.#file = file;
    this.#take = take;
  }

  /** @throws {SchemoeError} naming an event that is none, or one without usable times. */
  read(events: readonly unknown[]): void {
    for (const event of events) this.#event(event, this.#number++);
  }

  /** Pairs what began and ended; what never ended lasts until the end of the trace. */
  finish(): void {
    const stacks = new Map<string, { event: RawEvent; number: number; time: number }[]>();
    for (const { event, number, begin, time } of this.#open.toSorted((a, b) => a.time - b.time)) {
      const key = threadKey(event.pid, event.tid);
      const stack = stacks.get(key) ?? [];
      stacks.set(key, stack);
      if (begin) stack.push({ event, number, time });
      else {
        const opened = stack.pop();
        if (opened) this.#slice(opened.event, opened.number, opened.time, time - opened.time);
      }
    }
    for (const { event, number, time } of [...stacks.values()].flat()) {
      this.#slice(event, number, time, Math.max(0, this.#latest - time));
    }
  }

  #event(value: unknown, number: number): void {
    if (typeof value !== "object" || value === null) {
      this.#fail(number, `is ${value}, not an object`);
    }
    const event = value as RawEvent;
    switch (event.ph) {
      case "X": {
        const time = this.#time(event, number, "ts");
        // None, or one below zero, is what profilers write for what they lost sight of.
        const duration = event.dur === undefined
          ? 0
          : Math.max(0, this.#time(event, number, "dur"));
        this.#latest = Math.max(this.#latest, time + duration);
        return this.#slice(event, number, time, duration);
      }
      case "B":
      case "E": {
        const time = this.#time(event, number, "ts");
        this.#latest = Math.max(this.#latest, time);
        this.#open.push({ event, number, begin: event.ph === "B", time });
        return;
      }
      case "M":
        if (event.name === "thread_name") {
          this.threads.set(threadKey(event.pid, event.tid), String(argsOf(event).name));
        }
    }
  }

  #slice(event: RawEvent, number: number, begin: number, duration: number): void {
    this.#take({
      name: typeof event.name === "string" ? event.name : "",
      category: typeof event.cat === "string" ? event.cat : "",
      process: idOf(event.pid),
      thread: idOf(event.tid),
      begin,
      duration,
      args: argsOf(event),
      number,
    });
  }

  #time(event: RawEvent, number: number, field: "ts" | "dur"): number {
    const value = event[field];
    const time = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof time === "number" && Number.isFinite(time)) return time;
    return this.#fail(
      number,
      `("${event.name}") has ${field} ${JSON.stringify(value)}, not a number`,
    );
  }

  #fail(number: number, problem: string): never {
    throw new SchemoeError(`Cannot import the trace ${this.#file}: event ${number} ${problem}`);
  }
}

/** Key of a thread in `SliceReader.threads`. */
export const threadKey = (process: unknown, thread: unknown): string => `${process} ${thread}`;

const idOf = (value: unknown): number | string =>
  typeof value === "number" ? value : String(value ?? 0);

function argsOf({ args }: RawEvent): Readonly<Record<string, unknown>> {
  return typeof args === "object" && args !== null ? args as Record<string, unknown> : {};
}
