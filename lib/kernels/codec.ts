/** Kernels that turn rows into wire blocks and back. @module */
import type { ElementType, NativeCodec } from "./types.ts";
import type { Kernel, View } from "../types.ts";
import { codecArguments } from "./codecs.ts";
import { typeCode } from "./linear.ts";

/** Rows of a buffer: block b, group g, row r begins at element `b block + g group + r row`. */
export interface Rows {
  /** Default `float32`. */
  readonly dtype?: ElementType;
  readonly view: View;
  readonly block: number;
  readonly group: number;
  readonly row: number;
}

/** Numbers of rows by block and group. */
export interface RowNumbers {
  readonly first: number;
  readonly block: number;
  readonly group: number;
}

const NO_NUMBERS: RowNumbers = { first: 0, block: 0, group: 0 };

/** Numbers of rows, columns and wire blocks. */
export interface Wire {
  readonly codec: NativeCodec;
  readonly blocks: number;
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  readonly view: View;
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
export const encodeRows = (rows: Rows, wire: Wire): Kernel => ({
  name: "encode",
  args: args(rows, wire),
});

/** Wire blocks to rows. */
export const decodeRows = (rows: Rows, wire: Wire): Kernel => ({
  name: "decode",
  args: args(rows, wire),
});
