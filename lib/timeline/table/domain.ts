/**
 * Domains of the columns of a timeline, checked once when it is read from a file.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { column, columnsOf, rows, type Timeline, type TimelineColumn } from "./columns.ts";

/** The error in a value, undefined when there is none. */
type Check = (value: unknown) => string | undefined;

const numberOf = (value: unknown): number =>
  typeof value === "bigint" ? Number(value) : typeof value === "number" ? value : NaN;

const text: Check = (value) => typeof value === "string" ? undefined : "not text";
const finite: Check = (value) => Number.isFinite(numberOf(value)) ? undefined : "not a number";
const positive: Check = (value) =>
  finite(value) ?? (numberOf(value) >= 0 ? undefined : "a number below 0");
const count: Check = (value) => {
  const number = numberOf(value);
  const fits = Number.isInteger(number) && number >= 0 && number < 2 ** 32;
  return fits ? undefined : "not an integer of at least 0";
};
const orNull = (check: Check): Check => (value) => value === null ? undefined : check(value);

const CHECKS: Readonly<Record<TimelineColumn, Check>> = {
  run: text,
  pass: text,
  rank: count,
  node: count,
  lane: text,
  kind: text,
  chunk: orNull(count),
  name: text,
  label: text,
  ready_ns: finite,
  start_ns: finite,
  end_ns: finite,
  wait_ns: positive,
  paced_ns: positive,
  bytes: positive,
  flops: positive,
  deps: orNull(text),
};

/**
 * The timeline itself, when every column holds what it may.
 * @throws {SchemoeError} naming column, row and value.
 */
export function checkTimeline(timeline: Timeline): Timeline {
  const fail = (name: string, value: unknown, row: number, problem: string): never => {
    const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : `${value}`;
    throw new SchemoeError(
      `Cannot read the timeline: column "${name}" holds ${shown} in row ${row}, ${problem}`,
    );
  };
  const list = rows(timeline);
  for (const name of columnsOf(timeline)) {
    const values = column<unknown>(timeline, name);
    const length = (values as unknown as { length: number }).length;
    if (length < timeline.totalRows()) {
      throw new SchemoeError(
        `Cannot read the timeline: column "${name}" has ${length} rows of ${timeline.totalRows()}`,
      );
    }
    const check = CHECKS[name];
    for (const row of list) {
      const value = values.at(row);
      const problem = check(value);
      if (problem !== undefined) fail(name, value, row, problem);
    }
  }
  const [start, end] = [column<unknown>(timeline, "start_ns"), column<unknown>(timeline, "end_ns")];
  for (const row of list) {
    if (numberOf(end.at(row)) < numberOf(start.at(row))) {
      fail("end_ns", end.at(row), row, `before its start at ${start.at(row)}`);
    }
  }
  return timeline;
}
