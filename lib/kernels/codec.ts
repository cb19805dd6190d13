/** Kernels that turn rows into wire blocks and back. @module */
import { aNumber, aSize, aView, expect, record, something } from "../arguments/mod.ts";
import type { ElementType, NativeCodec } from "./types.ts";
import type { Kernel, View } from "../types.ts";
import { codecArguments } from "./codecs.ts";
import { typeCode } from "./linear.ts";

const ROWS = record("rows { view, block, group, row }", {
  view: aView,
  block: aNumber,
  group: aNumber,
  row: aNumber,
});
const WIRE = record(
  "blocks on the wire { codec, blocks, groups, rows, columns, view, blockBytes }",
  {
    codec: something,
    blocks: aSize,
    groups: aSize,
    rows: aSize,
    columns: aSize,
    view: aView,
    blockBytes: aNumber,
  },
);

/** Rows of a buffer: block b, group g, row r begins at element `b block + g group + r row`. */
export interface Rows {
  /** Default `float32`. */
  readonly dtype?: ElementType;
  /** The buffer, from its first row on. */
  readonly view: View;
  /** Elements from block to block. */
  readonly block: number;
  /** Elements from group to group of a block. */
  readonly group: number;
  /** Elements from row to row of a group. */
  readonly row: number;
}

/** Numbers of rows by block and group. */
export interface RowNumbers {
  /** Number of row (0, 0, 0). */
  readonly first: number;
  /** From block to block. */
  readonly block: number;
  /** From group to group. */
  readonly group: number;
}

const NO_NUMBERS: RowNumbers = { first: 0, block: 0, group: 0 };

/** Numbers of rows, columns and wire blocks. */
export interface Wire {
  /** Which codec, with parameter and seed. */
  readonly codec: NativeCodec;
  /** Blocks, each of `groups` x `rows` rows. */
  readonly blocks: number;
  /** Groups of a block, each coded by itself. */
  readonly groups: number;
  /** Rows of a group. */
  readonly rows: number;
  /** Values of a row. */
  readonly columns: number;
  /** Where the first block lies. */
  readonly view: View;
  /** Bytes from block to block. */
  readonly blockBytes: number;
  /**
   * Rows of each group where they differ; `rows` is then their sum, and groups follow each other in the
   * buffer of rows.
   */
  readonly groupRows?: readonly number[];
  /** Number of row (b, g, r), on which random bits depend: `first + b block + g group + r`; default all 0. */
  readonly numbers?: RowNumbers;
}

function args(rows: Rows, wire: Wire): Kernel["args"] {
  const { codec, blocks, groups, columns, numbers = NO_NUMBERS, groupRows = [] } = wire;
  return [
    typeCode(rows.dtype),
    ...codecArguments(codec),
    blocks,
    groups,
    wire.rows,
    columns,
    rows.view,
    rows.block,
    rows.group,
    rows.row,
    wire.view,
    wire.blockBytes,
    numbers.first,
    numbers.block,
    numbers.group,
    ...groupRows,
  ];
}

/** Rows to wire blocks, each block holding its rows in the order (group, row). */
export function encodeRows(rows: Rows, wire: Wire): Kernel {
  expect("encodeRows", "rows", rows, ROWS);
  expect("encodeRows", "wire", wire, WIRE);
  return {
    name: "encode",
    args: args(rows, wire),
  };
}

/** Wire blocks to rows. */
export function decodeRows(rows: Rows, wire: Wire): Kernel {
  expect("decodeRows", "rows", rows, ROWS);
  expect("decodeRows", "wire", wire, WIRE);
  return {
    name: "decode",
    args: args(rows, wire),
  };
}
