/**
 * Timelines as Parquet files, and back.
 * @module
 */
import { table } from "arquero";
import { SchemoeError } from "../../types.ts";
import {
  column,
  columnsOf,
  PACED_COLUMN,
  rows,
  type Subject,
  TEXT_COLUMNS,
  type Timeline,
  TIMELINE_COLUMNS,
  type TimelineColumn,
} from "./columns.ts";
import { Lookup } from "./lookup.ts";

/** How a column is stored. */
function typeOf(name: TimelineColumn): "STRING" | "INT32" | "DOUBLE" {
  if (TEXT_COLUMNS.has(name)) return "STRING";
  return name === "rank" || name === "node" || name === "chunk" ? "INT32" : "DOUBLE";
}

/**
 * A timeline as a Parquet file, which pandas, Polars, DuckDB and Spark read. Loads hyparquet-writer.
 *
 * @throws {SchemoeError} naming a column that is missing, or holds what it cannot.
 */
export async function toParquet(timeline: Subject): Promise<Uint8Array<ArrayBuffer>> {
  const at = Array.from(rows(timeline));
  const columnData = columnsOf(timeline).map((name) => {
    const type = typeOf(name);
    const values = column<unknown>(timeline, name);
    return { name, type, data: at.map((row) => checked(name, type, values.at(row), row)) };
  });
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const kvMetadata = [{ key: "schemoe", value: "timeline" }];
  return new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata, createdBy: "schemoe" }));
}

/**
 * The timeline that `toParquet` wrote. Loads hyparquet.
 *
 * @throws {SchemoeError} naming a column that is missing, or saying that it is not Parquet.
 */
export async function fromParquet(bytes: Uint8Array): Promise<Timeline> {
  const { parquetReadObjects } = await import("hyparquet");
  let read: Record<string, unknown>[];
  try {
    // A copy: the reader takes a whole buffer, and bytes may be a part of one.
    read = await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(`Cannot read the timeline: the bytes are not a Parquet file: ${text}`, {
      cause,
    });
  }
  const paced = read.length > 0 && PACED_COLUMN in read[0];
  const names: readonly TimelineColumn[] = paced
    ? [...TIMELINE_COLUMNS, PACED_COLUMN]
    : TIMELINE_COLUMNS;
  const columns = names.map((name) => {
    if (read.length > 0 && !(name in read[0])) {
      throw new SchemoeError(`Cannot read the timeline: it has no column "${name}"`);
    }
    const values = read.map((row, i) => checked(name, typeOf(name), row[name], i));
    if (name === "rank" || name === "node") return [name, Uint32Array.from(values as number[])];
    if (typeOf(name) === "DOUBLE") return [name, Float64Array.from(values as number[])];
    return [name, Lookup.of(values.length, values)];
  });
  return table(Object.fromEntries(columns), [...names]);
}

/** A value of a column, null for none. */
function checked(name: string, type: string, value: unknown, row: number): string | number | null {
  const plain = typeof value === "bigint" ? Number(value) : value;
  if (plain === null || plain === undefined) {
    if (name === "chunk" || type === "STRING") return null;
  } else if (type === "STRING" ? typeof plain === "string" : typeof plain === "number") {
    if (type !== "INT32" || Number.isInteger(plain)) return plain as string | number;
  }
  const wanted = { STRING: "text", INT32: "an integer", DOUBLE: "a number" }[type];
  throw new SchemoeError(
    `Cannot use the timeline: column "${name}" holds ${value} in row ${row}, not ${wanted}`,
  );
}
