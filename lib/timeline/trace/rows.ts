/**
 * Rows of a timeline, collected one by one.
 * @module
 */
import { table } from "arquero";
import { PACED_COLUMN, type Timeline, TIMELINE_COLUMNS } from "../table/columns.ts";
import { GrowingLookup, GrowingNumbers } from "../table/growing.ts";
import { Lookup } from "../table/lookup.ts";

/** Fields of a row besides its times. */
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
  readonly paced_ns?: number;
  readonly bytes: number;
  readonly flops: number;
  readonly deps: string | null;
}

/** A growing table. */
export class RowCollector {
  readonly #texts = {
    pass: new GrowingLookup<string>(),
    lane: new GrowingLookup<string>(),
    kind: new GrowingLookup<string>(),
    chunk: new GrowingLookup<number | null>(),
    name: new GrowingLookup<string>(),
    label: new GrowingLookup<string>(),
    deps: new GrowingLookup<string | null>(),
    rank: new GrowingLookup<number>(),
    node: new GrowingLookup<number>(),
  };
  readonly #numbers = {
    ready_ns: new GrowingNumbers(),
    start_ns: new GrowingNumbers(),
    end_ns: new GrowingNumbers(),
    wait_ns: new GrowingNumbers(),
    bytes: new GrowingNumbers(),
    flops: new GrowingNumbers(),
    [PACED_COLUMN]: new GrowingNumbers(),
  };
  #paced = false;

  get length(): number {
    return this.#texts.name.length;
  }

  add(row: TraceRow): void {
    this.#texts.pass.push(row.pass);
    this.#texts.lane.push(row.lane);
    this.#texts.kind.push(row.kind);
    this.#texts.chunk.push(row.chunk);
    this.#texts.name.push(row.name);
    this.#texts.label.push(row.label);
    this.#texts.deps.push(row.deps);
    this.#texts.rank.push(row.rank);
    this.#texts.node.push(row.node);
    this.#numbers.ready_ns.push(row.ready_ns);
    this.#numbers.start_ns.push(row.start_ns);
    this.#numbers.end_ns.push(row.end_ns);
    this.#numbers.wait_ns.push(row.wait_ns);
    this.#numbers.bytes.push(row.bytes);
    this.#numbers.flops.push(row.flops);
    this.#numbers[PACED_COLUMN].push(row.paced_ns ?? 0);
    this.#paced ||= row.paced_ns !== undefined;
  }

  timeline(run: string): Timeline {
    const { length } = this;
    const columns: Record<string, unknown> = { run: new Lookup([run], new Uint32Array(length)) };
    for (const [name, values] of Object.entries(this.#texts)) columns[name] = values.column();
    for (const [name, values] of Object.entries(this.#numbers)) columns[name] = values.values();
    for (const name of ["rank", "node"] as const) {
      const values = this.#texts[name];
      columns[name] = new Uint32Array(length).map((_, row) => values.at(row));
    }
    if (!this.#paced) delete columns[PACED_COLUMN];
    const names = this.#paced ? [...TIMELINE_COLUMNS, PACED_COLUMN] : [...TIMELINE_COLUMNS];
    return table(columns as Parameters<typeof table>[0], names);
  }
}
