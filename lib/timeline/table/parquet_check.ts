/**
 * Parquet files (https://parquet.apache.org/docs/file-format/) compared with their bytes before they are
 * read: rows, column chunks and pages may not be more than there is.
 * @module
 */
import { checkRuns, RUN_ENCODINGS } from "./parquet_runs.ts";

/** Bytes behind the metadata: their length, and the mark at the end. */
const TAIL_BYTES = 8;
/** Snappy copies at most 64 bytes by 3. */
const MOST_INFLATED = 32;
/** Fields of PageHeader and of the headers in it, in parquet.thrift. */
const PAGE = { kind: 1, inflated: 2, compressed: 3, data: 5, dictionary: 7, dataV2: 8 } as const;
const VALUES = 1;
const V1 = { encoding: 2 } as const;
const V2 = { nulls: 2, rows: 3, encoding: 4, definitions: 5, repetitions: 6, packed: 7 } as const;
const KIND = { data: 0, dictionary: 2, dataV2: 3 } as const;

/** The checked part of a file's metadata, as hyparquet gives it. */
export interface ParquetMetadata {
  readonly num_rows: bigint;
  readonly schema: readonly { readonly name: string; readonly repetition_type?: string }[];
  readonly row_groups: readonly {
    readonly num_rows: bigint;
    readonly columns: readonly {
      readonly meta_data?: {
        readonly path_in_schema: readonly string[];
        readonly codec: string;
        readonly dictionary_page_offset?: bigint;
        readonly data_page_offset: bigint;
        readonly total_compressed_size: bigint;
      };
    }[];
  }[];
}

/** Writes the contents of compressed bytes to an array of their length. */
export type Unpack = (compressed: Uint8Array, contents: Uint8Array) => void;

/**
 * Walks over the pages of columns.
 * @param names of the columns that are read
 * @throws {Error} saying which column and byte hold what cannot be.
 */
export function checkParquet(
  bytes: Uint8Array,
  { num_rows, row_groups, schema }: ParquetMetadata,
  { names, unpack }: { names: readonly string[]; unpack: Unpack },
): void {
  const optional = new Map(schema.map((one) => [one.name, one.repetition_type === "OPTIONAL"]));
  const sum = row_groups.reduce((rows, group) => rows + Number(group.num_rows), 0);
  if (Number(num_rows) !== sum || !(sum >= 0)) {
    throw new Error(`it says ${num_rows} rows, its groups have ${sum}`);
  }
  // Times alone take several bytes for each row.
  if (sum > bytes.length) throw new Error(`it says ${sum} rows in ${bytes.length} bytes`);
  for (const { columns, num_rows } of row_groups) {
    if (!(num_rows >= 0)) throw new Error(`it has a group of ${num_rows} rows`);
    for (const { meta_data: meta } of columns) {
      if (!meta) throw new Error("it has a column without metadata");
      if (!names.includes(meta.path_in_schema[0])) continue;
      const name = `column "${meta.path_in_schema.join(".").slice(0, 80)}"`;
      const begin = Number(meta.dictionary_page_offset || meta.data_page_offset);
      const end = begin + Number(meta.total_compressed_size);
      if (!(begin >= 4 && end >= begin && end <= bytes.length - TAIL_BYTES)) {
        throw new Error(`${name} is at bytes ${begin} to ${end} of ${bytes.length}`);
      }
      if (meta.path_in_schema.length > 1) throw new Error(`${name} is nested`);
      const nullable = optional.get(meta.path_in_schema[0]) ?? false;
      checkPages(bytes, {
        name,
        begin,
        end,
        rows: Number(num_rows),
        nullable,
        unpack: meta.codec === "SNAPPY" ? unpack : undefined,
      });
    }
  }
}

/** Pages of one column. */
interface Chunk {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  readonly rows: number;
  readonly nullable: boolean;
  /** Undefined where the pages are not compressed. */
  readonly unpack?: Unpack;
}

function checkPages(bytes: Uint8Array, chunk: Chunk): void {
  const { name, begin, end, rows, nullable, unpack } = chunk;
  const reader = new CompactReader(new DataView(bytes.buffer, bytes.byteOffset, end), begin);
  let found = 0;
  while (reader.at < end) {
    const at = reader.at;
    const fail = (problem: string): never => {
      throw new Error(`${name} has a page at byte ${at} ${problem}`);
    };
    const page = reader.struct();
    const number = (fields: Fields | undefined, field: number): number => {
      const value = fields?.get(field);
      return typeof value === "number" && value >= 0
        ? value
        : fail(`whose field ${field} is ${value}`);
    };
    const compressed = number(page, PAGE.compressed);
    const inflated = number(page, PAGE.inflated);
    if (reader.at + compressed > end) fail(`of ${compressed} bytes, ${end - reader.at} are left`);
    if (inflated > MOST_INFLATED * (compressed + 2)) {
      fail(`that says ${inflated} bytes come out of ${compressed}`);
    }
    const inner = (field: number) => {
      const fields = page.get(field);
      return fields instanceof Map ? fields : fail("without a header");
    };
    const contents = (from: number, size: number) => {
      const packed = bytes.subarray(reader.at + from, reader.at + compressed);
      if (!unpack || size === 0) return packed;
      const unpacked = new Uint8Array(size);
      unpack(packed, unpacked);
      return unpacked;
    };
    switch (page.get(PAGE.kind)) {
      case KIND.data: {
        const header = inner(PAGE.data);
        const values = number(header, VALUES);
        found += values;
        if (found > rows) break;
        const data = contents(0, inflated);
        let at = 0;
        if (nullable) {
          at = 4 + new DataView(data.buffer, data.byteOffset, data.length).getUint32(0, true);
          if (at > data.length) fail(`whose levels end at ${at} of ${data.length} bytes`);
          checkRuns(data.subarray(4, at), 1, values);
        }
        // Values of no bits are all 0: nothing is read.
        if (RUN_ENCODINGS.has(number(header, V1.encoding)) && data[at] > 0) {
          checkRuns(data.subarray(at + 1), data[at], values);
        }
        break;
      }
      case KIND.dataV2: {
        const header = inner(PAGE.dataV2);
        const values = number(header, VALUES);
        const levels = number(header, V2.definitions) + number(header, V2.repetitions);
        if (number(header, V2.nulls) > values || number(header, V2.rows) > values) {
          fail(`that says more nulls or rows than its ${values} values`);
        }
        if (levels > compressed) {
          fail(`whose levels of ${levels} bytes are more than its ${compressed}`);
        }
        found += values;
        if (found > rows) break;
        if (nullable) checkRuns(contents(0, 0).subarray(0, levels), 1, values);
        if (RUN_ENCODINGS.has(number(header, V2.encoding))) {
          const data = header.get(V2.packed) === 0
            ? contents(levels, 0)
            : contents(levels, inflated - levels);
          checkRuns(data.subarray(1), data[0], values);
        }
        break;
      }
      case KIND.dictionary: {
        const values = number(inner(PAGE.dictionary), VALUES);
        if (values > inflated) fail(`that says ${values} values in ${inflated} bytes`);
        break;
      }
      default:
        fail(`of the unknown kind ${page.get(PAGE.kind)}`);
    }
    if (found > rows) fail(`that makes ${found} values of ${rows} rows`);
    reader.at += compressed;
  }
  if (found !== rows) throw new Error(`${name} has ${found} values for ${rows} rows`);
}

/** Fields of a struct by number; others than integers and structs are skipped. */
type Fields = ReadonlyMap<number, number | Fields>;

/** Reads Thrift's compact protocol (thrift-compact-protocol.md); beyond the bytes it throws. */
class CompactReader {
  constructor(readonly view: DataView, public at: number) {}

  struct(depth = 0): Fields {
    if (depth > 8) throw new RangeError("structures nested too deep");
    const fields = new Map<number, number | Fields>();
    for (let id = 0;;) {
      const head = this.view.getUint8(this.at++);
      if (head === 0) return fields;
      id = head >> 4 ? id + (head >> 4) : this.#integer();
      const value = this.#value(head & 15, depth);
      if (value !== undefined) fields.set(id, value);
    }
  }

  #value(type: number, depth: number): number | Fields | undefined {
    switch (type) {
      case 1:
      case 2:
        return 2 - type; // true and false
      case 3:
        this.at++;
        return undefined;
      case 4:
      case 5:
      case 6:
        return this.#integer();
      case 7:
        this.at += 8;
        return undefined;
      case 8:
        this.at += this.#unsigned();
        return undefined;
      case 12:
        return this.struct(depth + 1);
      default:
        throw new RangeError(`a field of type ${type}`);
    }
  }

  #unsigned(): number {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = this.view.getUint8(this.at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  /** Zigzag: 0, -1, 1, -2, ... */
  #integer(): number {
    const value = this.#unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
