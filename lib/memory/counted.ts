/** Rows of a dropless layer whose experts' loads a kernel counts while the Program runs. @module */
import { aLayer, aNumber, expect } from "../arguments/mod.ts";
import type { Layer } from "../blocks/mod.ts";
import type { CountedRows } from "../types.ts";
import type { LegRows, RowLayout, RowsOf } from "./rows.ts";

/** More places than an expert has. */
const ALL_PLACES = 2 ** 31 - 1;

/**
 * The rows of a layer, where they can be counted as a Program runs: each choice has a row, so that a rank sends as many
 * under every routing, and all ranks exchange rows. Experts must say that their kernels know of it.
 * @param room parts of the rows that a rank sends for which the experts of one have room, where there are several.
 */
export function countedRows(layer: Layer, room = 1): readonly CountedRows[] | undefined {
  expect("countedRows", "layer", layer, aLayer);
  expect("countedRows", "room", room, aNumber);
  const { dropless, partial, placed, tokens, topK, slots, expert, groups, rankTokens } = layer;
  const { topology: { ranks } } = layer;
  if (!dropless || partial || placed || rankTokens || tokens === 0 || !expert.counted) {
    return undefined;
  }
  if (groups.count > 1) return undefined;
  const rows = tokens * topK;
  const most = ranks === 1 ? rows : Math.min(ranks * rows, Math.ceil(rows * room));
  return Array.from(
    { length: ranks },
    (_, rank) => ({ experts: slots, rows, ranks, rank, room: most }),
  );
}

/** Their layout: the rows of one expert after another, in one chunk; those of experts lie as in `ragged.ts`. */
export function countedLayout(
  of: RowsOf & { readonly counted: readonly CountedRows[] },
): RowLayout {
  const { layer, chunks, counted } = of;
  const { tokens, topK, slots: experts, localSlots: groups, rowDim: columns, dtype } = layer;
  const [{ rows, room }] = counted;
  return {
    sent: rows,
    room,
    uneven: false,
    rowsIn: () => rows,
    places: (rank) => ({
      ...{ dtype, tokens, columns, topK, experts, chunks },
      counted: counted[rank],
    }),
    matrix: (_, rank) => ({ first: 0, rows: room, groups, stride: NaN, counted: counted[rank] }),
    leg: () => legRows(of),
    expertRow: unknown,
  };
}

const unknown = (): never => {
  throw new Error("where rows that are counted as a Program runs lie is not known before");
};

function legRows(
  { layer, counted }: RowsOf & { readonly counted: readonly CountedRows[] },
): LegRows {
  const { topology: { ranks }, rowDim: columns, dtype } = layer;
  const [{ rows, room }] = counted;
  if (ranks === 1) return unknown();
  const each = Math.max(1, Math.round(rows / ranks));
  return {
    counted,
    rows: () => each,
    groupRows: unknown,
    equal: each,
    most: room,
    firstRow: () => 0,
    tokens: unknown,
    experts: () => undefined,
    arrangement: (rank, at) => ({
      dtype,
      columns,
      loads: counted[rank],
      bySource: false,
      places: { begin: 0, end: ALL_PLACES },
      sources: { begin: 0, end: ranks },
      wire: { buffer: at.wire, offset: 0 },
      rows: { buffer: at.rows, offset: 0 },
    }),
  };
}
