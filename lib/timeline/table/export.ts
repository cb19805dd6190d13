/**
 * Timelines as files, and back.
 * @module
 */
import { fromArrow as tableFromArrow } from "arquero";
import { SchemoeError } from "../../types.ts";
import { checkArrow } from "./arrow_check.ts";
import { column, type Timeline, TIMELINE_COLUMNS } from "./columns.ts";
import { checkTimeline } from "./domain.ts";
import { type Subject, timelineOf } from "./subject.ts";

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
 * The timeline that `toArrow` wrote. What the bytes say of themselves is compared with them first, so
 * that damaged ones take no more time and memory than they are long.
 *
 * @throws {SchemoeError} naming a column that is missing or holds what it cannot, with row and value, or
 * saying where the bytes are not an Arrow IPC stream.
 */
export function fromArrow(bytes: Uint8Array): Timeline {
  let read;
  try {
    checkArrow(bytes);
    read = tableFromArrow(bytes) as Timeline;
  } catch (cause) {
    throw new SchemoeError(
      `Cannot read the timeline: the bytes are not an Arrow IPC stream: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
  return checkTimeline(checked(read));
}

function checked(subject: Subject): Timeline {
  const timeline = timelineOf(subject);
  for (const name of TIMELINE_COLUMNS) column(timeline, name);
  return timeline;
}
