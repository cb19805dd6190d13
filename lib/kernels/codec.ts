/** Kernels that turn rows into wire blocks and back. @module */
import type { ElementType, Kernel, View } from "../types.ts";
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

/** How many rows of which width go into how many wire blocks. */
export interface Wire {
  /** Number of the native codec. */
  readonly codec: number;
  readonly blocks: number;
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  readonly view: View;
  readonly blockBytes: number;
}

function args(rows: Rows, wire: Wire): Kernel["args"] {
  const { codec, blocks, groups, columns } = wire;
  return [
    typeCode(rows.dtype),
    codec,
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
