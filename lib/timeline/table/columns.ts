/**
 * The columns of a timeline, and reading them with errors that name the culprit.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { type Subject, type Timeline, timelineOf } from "./subject.ts";

export type { Subject, Timeline };

/** Names of the columns of a timeline, in order; `makeTimeline` says what they hold. */
export const TIMELINE_COLUMNS = [
  "run",
  "pass",
  "rank",
  "node",
  "lane",
  "kind",
  "chunk",
  "name",
  "label",
  "ready_ns",
  "start_ns",
  "end_ns",
  "wait_ns",
  "bytes",
  "flops",
  "deps",
] as const;

/** A column that only timelines of paced runs have, after the others; see `makeTimeline`. */
export const PACED_COLUMN = "paced_ns" satisfies TimelineColumn;

/** The columns that a timeline has, in order. */
export function columnsOf(...timelines: readonly Subject[]): readonly TimelineColumn[] {
  const paced = timelines.some((given) => timelineOf(given).column(PACED_COLUMN) !== undefined);
  return paced ? [...TIMELINE_COLUMNS, PACED_COLUMN] : TIMELINE_COLUMNS;
}

/** Name of a column of a timeline. */
export type TimelineColumn = typeof TIMELINE_COLUMNS[number] | "paced_ns";

/** Columns that hold text. */
export const TEXT_COLUMNS: ReadonlySet<string> = new Set<TimelineColumn>(
  ["run", "pass", "lane", "kind", "name", "label", "deps"],
);

/** A column as it is read: `at(row)` with the row numbers of `rows(timeline)`. */
export interface ColumnReader<T> {
  at(row: number): T;
}

/** Row numbers that a table's filter lets through, in its order. */
export function rows(timeline: Subject): ArrayLike<number> & Iterable<number> {
  return timelineOf(timeline).indices();
}

/**
 * One column of a timeline.
 *
 * @throws {SchemoeError} naming the column that is missing.
 */
export function column<T>(timeline: Subject, name: TimelineColumn): ColumnReader<T> {
  const found = timelineOf(timeline).column(name);
  if (!found) throw new SchemoeError(`Cannot read the timeline: it has no column "${name}"`);
  return found as ColumnReader<T>;
}

/**
 * A numeric column of a timeline; reading a row that holds no finite number is an error.
 *
 * @throws {SchemoeError} naming the column that is missing.
 */
export function numbers(timeline: Subject, name: TimelineColumn): ColumnReader<number> {
  const found = column<unknown>(timeline, name);
  return {
    at(row) {
      const value = found.at(row);
      if (typeof value === "number" && Number.isFinite(value)) return value;
      if (typeof value === "bigint") return Number(value);
      throw new SchemoeError(
        `Cannot read the timeline: column "${name}" holds ${value} in row ${row}, not a number`,
      );
    },
  };
}

/**
 * The run that a timeline shows, "" when it has no rows.
 *
 * @throws {SchemoeError} when there are several, whose times cannot be measured together.
 */
export function oneRun(timeline: Subject): string {
  const run = column<string>(timeline, "run");
  const found = new Set<string>();
  for (const row of rows(timeline)) found.add(run.at(row));
  if (found.size > 1) {
    const names = [...found].slice(0, 3).map((name) => `"${name}"`).join(", ");
    throw new SchemoeError(
      `Cannot measure the timeline: it holds ${found.size} runs (${names}), filter it to one`,
    );
  }
  return [...found][0] ?? "";
}

/** Whether a kind of task is communication; all other kinds are computation. */
export function isCommunication(kind: string): boolean {
  return kind === "allToAll" || kind === "allReduce";
}
