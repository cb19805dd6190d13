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
import { checkTimeline } from "./domain.ts";
import { Lookup } from "./lookup.ts";
import { checkParquet } from "./parquet_check.ts";

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
 * The timeline that `toParquet` wrote. Loads hyparquet, after what the bytes say of themselves is
 * compared with them.
 *
 * @throws {SchemoeError} naming a column that is missing or holds what it cannot, with row and value, or
 * saying where the bytes are not a Parquet file.
 */
export async function fromParquet(bytes: Uint8Array): Promise<Timeline> {
  const { parquetMetadata, parquetReadObjects, snappyUncompress } = await import("hyparquet");
  let read: Record<string, unknown>[] = [];
  let missing: string | undefined;
  let names: readonly TimelineColumn[] = TIMELINE_COLUMNS;
  try {
    // A copy: the reader takes a whole buffer, and bytes may be a part of one.
    const file = new Uint8Array(bytes).buffer;
    const metadata = parquetMetadata(file);
    const there = new Set(metadata.schema.map(({ name }) => name));
    missing = TIMELINE_COLUMNS.find((name) => !there.has(name));
    if (there.has(PACED_COLUMN)) names = [...TIMELINE_COLUMNS, PACED_COLUMN];
    if (missing === undefined) {
      checkParquet(bytes, metadata, { names, unpack: snappyUncompress });
      read = await parquetReadObjects({ file, metadata, columns: [...names] });
    }
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(`Cannot read the timeline: the bytes are not a Parquet file: ${text}`, {
      cause,
    });
  }
  if (missing !== undefined) {
    throw new SchemoeError(`Cannot read the timeline: it has no column "${missing}"`);
  }
  const columns = names.map((name) => {
    const values = read.map((row, i) => checked(name, typeOf(name), row[name], i));
    if (name === "rank" || name === "node") return [name, Uint32Array.from(values as number[])];
    if (typeOf(name) === "DOUBLE") return [name, Float64Array.from(values as number[])];
    return [name, Lookup.of(values.length, values)];
  });
  return checkTimeline(table(Object.fromEntries(columns), [...names]));
}

/** A value of a column, null for none. */
function checked(name: string, type: string, value: unknown, row: number): string | number | null {
  const plain = typeof value === "bigint" ? Number(value) : value;
  if (plain === null || plain === undefined) {
    if (name === "chunk" || type === "STRING") return null;
  } else if (type === "STRING" ? typeof plain === "string" : typeof plain === "number") {
    const fits = name === "rank" || name === "node" ? plain as number >= 0 : true;
    if (type !== "INT32" || (Number.isInteger(plain) && fits)) return plain as string | number;
  }
  const wanted = { STRING: "text", INT32: "an integer", DOUBLE: "a number" }[type];
  throw new SchemoeError(
    `Cannot use the timeline: column "${name}" holds ${value} in row ${row}, not ${wanted}`,
  );
}
