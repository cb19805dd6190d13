/**
 * Arrow IPC streams (https://arrow.apache.org/docs/format/Columnar.html) compared with their bytes before
 * they are read: what a reader would believe (lengths of lists, columns, buffers and strings) may not be
 * more than there is.
 * @module
 */
import { FlatTable } from "./flatbuffer.ts";

/** Fields of the tables in Message.fbs and Schema.fbs, by their number. */
const MESSAGE = { version: 0, kind: 1, header: 2, bodyBytes: 3 } as const;
const SCHEMA = { fields: 1, metadata: 2 } as const;
const FIELD = { name: 0, type: 2, typeTable: 3, dictionary: 4, children: 5, metadata: 6 } as const;
const ENCODING = { id: 0, index: 1 } as const;
const BATCH = { length: 0, nodes: 1, buffers: 2, compression: 3 } as const;
const DICTIONARY = { id: 0, data: 1 } as const;
/** Format version 4, of Arrow 0.8: what came before has other buffers. */
const OLDEST = 3;
const KIND = { schema: 1, dictionary: 2, batch: 3 } as const;

/** Types whose buffers are looked at, by their numbers in Schema.fbs. */
const TYPE = {
  null: 1,
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  largeBinary: 19,
  largeUtf8: 20,
};
const MOST_NESTED = 8;

/** How a column of numbers or texts lies in its buffers. */
interface Layout {
  readonly name: string;
  /** Bits of a value; undefined where they are not known. */
  readonly bits?: number;
  /** Bytes of an offset, in columns of texts. */
  readonly offsets?: 4 | 8;
  readonly buffers: number;
  /** The dictionary that values are looked up in. */
  readonly dictionary?: { readonly id: number; readonly values: Layout };
}

/** Layouts of all columns; undefined for types that timelines do not write. */
type Layouts = readonly (Layout | undefined)[];

/** A buffer in the body of a message. */
interface Span {
  readonly begin: number;
  readonly bytes: number;
}

/**
 * Compares an Arrow stream with its bytes.
 * @throws {Error} saying which message, column and length do not fit, or where it is damaged.
 */
export function checkArrow(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A file of Arrow is a stream between marks, with an index behind it that readers believe instead.
  if (new TextDecoder("latin1").decode(bytes.subarray(0, 6)) === "ARROW1") {
    throw new Error("it is an Arrow file, an Arrow IPC stream is needed");
  }
  let layouts: Layouts | undefined;
  let at = 0;
  for (let number = 0; at < bytes.length; number++) {
    const where = `message ${number} at byte ${at}`;
    try {
      let size = view.getInt32(at, true);
      at += 4;
      if (size === -1) {
        size = view.getInt32(at, true);
        at += 4;
      }
      if (size === 0) break;
      if (size < 0 || size > bytes.length - at) {
        throw new Error(`it says ${size} bytes of metadata, ${bytes.length - at} are left`);
      }
      const message = new FlatTable(new DataView(bytes.buffer, bytes.byteOffset + at, size), 0);
      at += size;
      const bodyBytes = message.long(MESSAGE.bodyBytes);
      if (bodyBytes < 0 || bodyBytes > bytes.length - at) {
        throw new Error(`it says ${bodyBytes} bytes of data, ${bytes.length - at} are left`);
      }
      const body = new DataView(bytes.buffer, bytes.byteOffset + at, bodyBytes);
      at += bodyBytes;
      layouts = checkMessage(message, body, layouts);
    } catch (cause) {
      const { message } = cause as Error;
      const problem = cause instanceof RangeError ? `it is damaged (${message})` : message;
      throw new Error(`${where}: ${problem}`, { cause });
    }
  }
  if (!layouts) throw new Error("it has no schema");
}

/** @returns the layouts of the schema, which the first message holds. */
function checkMessage(message: FlatTable, body: DataView, layouts?: Layouts): Layouts {
  const version = message.short(MESSAGE.version);
  if (version < OLDEST) throw new Error(`it is of format version ${version + 1}, too old`);
  const kind = message.byte(MESSAGE.kind);
  const header = message.table(MESSAGE.header);
  if (!header) throw new Error("it has no header");
  if (kind === KIND.schema) {
    header.tables(SCHEMA.metadata);
    return header.tables(SCHEMA.fields).map((field) => layoutOf(field, 0));
  }
  if (!layouts) throw new Error("it comes before the schema");
  if (kind === KIND.batch) checkBatch(header, body, layouts);
  else if (kind === KIND.dictionary) {
    const id = header.long(DICTIONARY.id);
    const data = header.table(DICTIONARY.data);
    if (!data) throw new Error(`the dictionary ${id} has no data`);
    const column = layouts.find((layout) => layout?.dictionary?.id === id);
    if (!column && !layouts.includes(undefined)) {
      throw new Error(`no column has the dictionary ${id}`);
    }
    const values = column?.dictionary?.values;
    checkBatch(data, body, [values && { ...values, name: `dictionary of ${values.name}` }]);
  } else throw new Error(`it is of the unknown kind ${kind}`);
  return layouts;
}

function layoutOf(field: FlatTable, depth: number): Layout | undefined {
  if (depth > MOST_NESTED) throw new Error(`columns are nested more than ${MOST_NESTED} times`);
  const name = `column "${field.text(FIELD.name).slice(0, 80)}"`;
  field.tables(FIELD.metadata);
  const children = field.tables(FIELD.children).map((child) => layoutOf(child, depth + 1));
  const plain = plainLayout(field.byte(FIELD.type), field.table(FIELD.typeTable));
  if (!plain || children.length > 0) return undefined;
  const encoding = field.table(FIELD.dictionary);
  if (!encoding) return { name, ...plain };
  const bits = encoding.table(ENCODING.index)?.int(0, 32) ?? 32;
  const dictionary = { id: encoding.long(ENCODING.id), values: { name, ...plain } };
  return { name, bits, buffers: 2, dictionary };
}

function plainLayout(
  type: number,
  table: FlatTable | undefined,
): Omit<Layout, "name"> | undefined {
  switch (type) {
    case TYPE.null:
      return { bits: 0, buffers: 0 };
    case TYPE.int:
      return { bits: table?.int(0), buffers: 2 };
    case TYPE.float:
      return { bits: [16, 32, 64][table?.short(0) ?? 0], buffers: 2 };
    case TYPE.bool:
      return { bits: 1, buffers: 2 };
    case TYPE.binary:
    case TYPE.utf8:
      return { offsets: 4, buffers: 3 };
    case TYPE.largeBinary:
    case TYPE.largeUtf8:
      return { offsets: 8, buffers: 3 };
  }
}

function checkBatch(batch: FlatTable, body: DataView, layouts: Layouts): void {
  const rows = batch.long(BATCH.length);
  const nodes = batch.pairs(BATCH.nodes);
  const spans: Span[] = batch.pairs(BATCH.buffers).map(([begin, bytes]) => {
    if (begin < 0 || bytes < 0 || begin + bytes > body.byteLength) {
      throw new Error(
        `a buffer of ${bytes} bytes at ${begin} is beyond its ${body.byteLength} bytes`,
      );
    }
    return { begin, bytes };
  });
  // Whatever the types: a row takes a byte, a nested value a bit.
  const most = 8 * body.byteLength;
  for (const [length, nulls] of [[rows, 0], ...nodes]) {
    if (length < 0 || length > most || nulls < 0 || nulls > length) {
      throw new Error(`${length} rows, ${nulls} of them null, in ${body.byteLength} bytes`);
    }
  }
  if (batch.table(BATCH.compression) || layouts.includes(undefined)) return;
  const plain = layouts as readonly Layout[];
  const needed = plain.reduce((sum, { buffers }) => sum + buffers, 0);
  if (nodes.length !== plain.length || spans.length !== needed) {
    throw new Error(
      `it has ${nodes.length} columns in ${spans.length} buffers, ${plain.length} in ${needed} are needed`,
    );
  }
  let next = 0;
  plain.forEach((layout, i) => {
    const [length, nulls] = nodes[i];
    if (length !== rows) throw new Error(`${layout.name} has ${length} rows in a batch of ${rows}`);
    const own = spans.slice(next, next += layout.buffers);
    if (layout.buffers > 0) checkColumn(layout, { length, nulls, own, body });
  });
}

function checkColumn(
  { name, bits, offsets }: Layout,
  { length, nulls, own, body }: { length: number; nulls: number; own: Span[]; body: DataView },
): void {
  const hold = (what: string, { bytes }: Span, needed: number) => {
    if (bytes < needed) {
      throw new Error(`${name} has ${length} rows, its ${what} of ${bytes} bytes need ${needed}`);
    }
  };
  const [validity, values, texts] = own;
  if (nulls > 0) hold("validity", validity, Math.ceil(length / 8));
  if (length === 0) return;
  if (!offsets) return hold("values", values, Math.ceil(length * (bits ?? 1) / 8));
  hold("offsets", values, (length + 1) * offsets);
  let before = 0;
  for (let row = 0; row <= length; row++) {
    const at = values.begin + row * offsets;
    const offset = offsets === 4 ? body.getInt32(at, true) : Number(body.getBigInt64(at, true));
    if (offset < before || offset > texts.bytes) {
      throw new Error(
        `${name} has a text that ends at ${offset}, after one at ${before}, in ${texts.bytes} bytes`,
      );
    }
    before = offset;
  }
}
