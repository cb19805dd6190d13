/**
 * Rows of a timeline, collected one by one.
 * @module
 */
import { table } from "arquero";
import { type Timeline, TIMELINE_COLUMNS } from "../table/columns.ts";
import { Lookup } from "../table/lookup.ts";

/** What a row says besides its times. */
export interface TraceRow {
  readonly pass: string;
  readonly rank: number;
  readonly node: number;
  readonly lane: string;
  readonly kind: string;
  readonly chunk: number | null;
  readonly name: string;
  readonly label: string;
  readonly ready_ns: number;
  readonly start_ns: number;
  readonly end_ns: number;
  readonly wait_ns: number;
  readonly bytes: number;
  readonly flops: number;
  readonly deps: string | null;
}

type Column = keyof TraceRow;
const COLUMNS = TIMELINE_COLUMNS.filter((name): name is Column => name !== "run");

/** A growing table: one array for each column, equal texts stored once. */
export class RowCollector {
  readonly #columns = Object.fromEntries(COLUMNS.map((name) => [name, [] as unknown[]])) as Record<
    Column,
    unknown[]
  >;

  get length(): number {
    return this.#columns.name.length;
  }

  add(row: TraceRow): void {
    for (const name of COLUMNS) this.#columns[name].push(row[name]);
  }

  /** Numbers of a column, to be changed in place. */
  numbers(name: Column): number[] {
    return this.#columns[name] as number[];
  }

  timeline(run: string): Timeline {
    const { length } = this;
    const columns = TIMELINE_COLUMNS.map((name) => {
      if (name === "run") return [name, new Lookup([run], new Uint32Array(length))];
      const values = this.#columns[name];
      if (name === "rank" || name === "node") return [name, Uint32Array.from(values as number[])];
      const exact = name.endsWith("_ns") || name === "bytes" || name === "flops";
      return [name, exact ? Float64Array.from(values as number[]) : Lookup.of(length, values)];
    });
    return table(Object.fromEntries(columns), [...TIMELINE_COLUMNS]);
  }
}
