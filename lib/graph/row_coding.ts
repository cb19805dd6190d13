/** Codecs of rows that cross to other nodes, each row on its own. @module */
import { elementBytes, type Layer } from "../blocks/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import { decodeRows, encodeRows, type Rows } from "../kernels/mod.ts";
import type { Kernel, View } from "../types.ts";
import { isPlain, wireBytes } from "./wire.ts";

/** How rows are coded one by one. */
export interface RowCoding {
  /** Bytes of a row as it is computed with. */
  readonly rowBytes: number;
  /** Bytes of a coded row. */
  readonly wireBytes: number;
  /** Codes rows that lie one after another. */
  encode(rows: number, from: View, wire: View): Kernel;
  /** Brings coded rows back. */
  decode(rows: number, wire: View, to: View): Kernel;
}

/** Coding of the rows of a layer by a native codec without random bits; undefined where rows travel as they are. */
export function rowCoding(layer: Layer, compressor: Compressor): RowCoding | undefined {
  if (isPlain(compressor)) return undefined;
  const { rowDim: columns, dtype } = layer;
  const bytes = elementBytes(layer);
  const blockBytes = wireBytes(compressor, { rows: 1, columns, elementBytes: bytes });
  const rowsAt = (view: View): Rows => ({ view, dtype, block: columns, group: 0, row: columns });
  const wireAt = (blocks: number, view: View) => ({
    codec: compressor.native!,
    ...{ view, blockBytes, blocks, columns, groups: 1, rows: 1 },
  });
  return {
    rowBytes: bytes * columns,
    wireBytes: blockBytes,
    encode: (rows, from, wire) => encodeRows(rowsAt(from), wireAt(rows, wire)),
    decode: (rows, wire, to) => decodeRows(rowsAt(to), wireAt(rows, wire)),
  };
}
