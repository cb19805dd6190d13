/**
 * Slices of a trace: complete events, and pairs of begin and end, whatever their order in the file.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { fieldsOf, idOf, numberOf, shown, textOf } from "./fields.ts";

/** Something that lasted. */
export interface Slice {
  readonly name: string;
  readonly category: string;
  readonly process: string;
  readonly thread: string;
  /** Microseconds. */
  readonly begin: number;
  readonly duration: number;
  readonly args: Readonly<Record<string, unknown>>;
  /** Number of the event in its file. */
  readonly number: number;
  /** Why its times cannot be used: an error for whoever needs them. */
  readonly problem?: string;
}

/** An event as it may be in a file. */
type RawEvent = Readonly<Record<string, unknown>>;

/** Microseconds beyond which times are damaged: 285 years. */
const MOST_TIME = 2 ** 53;

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

  /** @throws {SchemoeError} naming an event that is none. */
  read(events: readonly unknown[]): void {
    for (const event of events) this.#event(event, this.#number++);
  }

  /** Pairs what began and ended; what never ended lasts until the end of the trace. */
  finish(): void {
    const stacks = new Map<string, { event: RawEvent; number: number; time: number }[]>();
    for (const { event, number, begin, time } of this.#open.toSorted((a, b) => a.time - b.time)) {
      const key = threadKey(idOf(event.pid), idOf(event.tid));
      const stack = stacks.get(key) ?? [];
      stacks.set(key, stack);
      if (begin) stack.push({ event, number, time });
      else {
        const opened = stack.pop();
        if (opened) this.#slice(opened.event, opened.number, opened.time, time - opened.time);
      }
    }
    for (const stack of stacks.values()) {
      for (const { event, number, time } of stack) {
        this.#slice(event, number, time, Math.max(0, this.#latest - time));
      }
    }
  }

  /** @throws {SchemoeError} naming file and event. */
  fail(number: number, problem: string): never {
    throw new SchemoeError(`Cannot import the trace ${this.#file}: event ${number} ${problem}`);
  }

  #event(value: unknown, number: number): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.fail(number, `is ${shown(value)}, not an object`);
    }
    const event = value as RawEvent;
    switch (event.ph) {
      case "X": {
        const time = numberOf(event.ts);
        // Profilers write no duration, or null, for events whose end they lost.
        const duration = event.dur === undefined || event.dur === null ? 0 : numberOf(event.dur);
        const usable = Math.abs(time) <= MOST_TIME && duration >= 0 && duration <= MOST_TIME;
        const problem = usable ? undefined : timeProblem(event, "ts") ?? timeProblem(event, "dur");
        if (problem === undefined) this.#latest = Math.max(this.#latest, time + duration);
        return this.#slice(event, number, time, duration, problem);
      }
      case "B":
      case "E": {
        const problem = timeProblem(event, "ts");
        if (problem !== undefined) this.fail(number, problem);
        const time = numberOf(event.ts);
        this.#latest = Math.max(this.#latest, time);
        this.#open.push({ event, number, begin: event.ph === "B", time });
        return;
      }
      case "M":
        if (event.name === "thread_name") {
          const key = threadKey(idOf(event.pid), idOf(event.tid));
          this.threads.set(key, textOf(fieldsOf(event.args).name));
        }
    }
  }

  #slice(
    event: RawEvent,
    number: number,
    begin: number,
    duration: number,
    problem?: string,
  ): void {
    this.#take({
      name: textOf(event.name),
      category: textOf(event.cat),
      process: idOf(event.pid),
      thread: idOf(event.tid),
      begin,
      duration,
      args: fieldsOf(event.args),
      number,
      problem,
    });
  }
}

/** The error in a time of an event. */
function timeProblem(event: RawEvent, field: "ts" | "dur"): string | undefined {
  const value = event[field];
  if (field === "dur" && (value === undefined || value === null)) return undefined;
  const time = numberOf(value);
  const has = () => `(${shown(textOf(event.name))}) has ${field} ${shown(value)}`;
  if (Number.isNaN(time)) return `${has()}, not a number`;
  if (field === "dur" && time < 0) return `${has()}, below 0`;
  if (Math.abs(time) > MOST_TIME) return `${has()}, more than 2^53 microseconds`;
  return undefined;
}

/** Key of a thread in `SliceReader.threads`. */
export const threadKey = (process: string, thread: string): string =>
  `${process.length} ${process} ${thread}`;
