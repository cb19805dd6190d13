/**
 * Timelines as files, and back.
 * @module
 */
import { fromArrow as tableFromArrow, fromCSV as tableFromCSV } from "arquero";
import { SchemoeError } from "../../types.ts";
import { column, PACED_COLUMN, TEXT_COLUMNS, type Timeline, TIMELINE_COLUMNS } from "./columns.ts";
import { type Subject, timelineOf } from "./subject.ts";

/**
 * A timeline as comma-separated values with a header line; null is an empty field.
 *
 * @throws {SchemoeError} naming a column that is missing.
 */
export function toCSV(timeline: Subject): string {
  return checked(timeline).toCSV();
}

/**
 * A timeline as an Arrow IPC stream, which PyArrow, Polars and DuckDB read.
 *
 * @throws {SchemoeError} naming a column that is missing.
 */
export function toArrow(timeline: Subject): Uint8Array {
  const bytes = checked(timeline).toArrowIPC({ format: "stream" });
  if (!(bytes instanceof Uint8Array)) {
    throw new SchemoeError("Cannot write the timeline as Arrow: the encoder gave no bytes");
  }
  return bytes;
}

/**
 * The timeline that `toCSV` wrote.
 *
 * @throws {SchemoeError} naming a column that is missing.
 */
export function fromCSV(text: string): Timeline {
  const parse = Object.fromEntries(
    [...TIMELINE_COLUMNS, PACED_COLUMN].map((
      name,
    ) => [name, TEXT_COLUMNS.has(name) ? textOrNull : numberOrNull]),
  );
  if (typeof text !== "string" || text.trim() === "") {
    throw new SchemoeError(
      "Cannot read the timeline: give the text of a CSV file with a header line",
    );
  }
  return checked(tableFromCSV(text, { parse }) as Timeline);
}

/**
 * The timeline that `toArrow` wrote.
 *
 * @throws {SchemoeError} naming a column that is missing, or saying that it is not Arrow.
 */
export function fromArrow(bytes: Uint8Array): Timeline {
  let read;
  try {
    read = tableFromArrow(bytes) as Timeline;
  } catch (cause) {
    throw new SchemoeError("Cannot read the timeline: the bytes are not an Arrow IPC stream", {
      cause,
    });
  }
  return checked(read);
}

function checked(subject: Subject): Timeline {
  const timeline = timelineOf(subject);
  for (const name of TIMELINE_COLUMNS) column(timeline, name);
  return timeline;
}

function textOrNull(value: string): string | null {
  return value === "" ? null : value;
}

function numberOrNull(value: string): number | null {
  return value === "" ? null : Number(value);
}
