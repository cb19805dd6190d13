/** Rows of a dropless layer on one rank, whose experts' loads a kernel counts while the Program runs. @module */
import type { Layer } from "../blocks/mod.ts";
import type { CountedRows } from "../types.ts";
import type { RowLayout, RowsOf } from "./rows.ts";

/**
 * The rows of a layer, where they can be counted as a Program runs: on one rank nothing travels, and where each choice
 * has a row there are as many of them under every routing. Experts must say that their kernels know of it.
 */
export function countedRows(layer: Layer): CountedRows | undefined {
  const { dropless, partial, placed, tokens, topK, slots, expert, topology: { ranks } } = layer;
  if (!dropless || partial || placed || ranks > 1 || tokens === 0 || !expert.counted) {
    return undefined;
  }
  return { experts: slots, rows: tokens * topK };
}

/** Their layout: the rows of one expert after another, in one chunk. */
export function countedLayout(of: RowsOf & { readonly counted: CountedRows }): RowLayout {
  const { layer, chunks, counted } = of;
  const { tokens, topK, slots: experts, localSlots: groups, rowDim: columns, dtype } = layer;
  const { rows } = counted;
  const unknown = (): never => {
    throw new Error("rows that are counted as a Program runs are where they belong");
  };
  return {
    sent: rows,
    room: rows,
    uneven: false,
    rowsIn: () => rows,
    places: () => ({ dtype, tokens, columns, topK, experts, chunks, counted }),
    matrix: () => ({ first: 0, rows, groups, stride: NaN, counted }),
    leg: unknown,
    expertRow: unknown,
  };
}
