/**
 * Rows where only the places that are taken have one: the rows of a dropless layer.
 *
 * See {@linkcode RaggedRows} for the order in which they lie. Blocks differ in size, and a pair of ranks without
 * rows exchanges nothing. Those of experts interleave sources within places, so they are arranged by a kernel
 * of their own on their way to or from the wire.
 * @module
 */
import { elementBytes, tokensOf } from "../blocks/mod.ts";
import { byPeers } from "../chunking/peer_groups.ts";
import { rowSlices } from "../chunking/split.ts";
import type { Loads } from "../types.ts";
import { raggedRows, sourceRanks } from "./ragged_rows.ts";
import type { LegOf, LegRows, Piece, RowLayout, RowsOf } from "./rows.ts";

/** The layout of a pass whose loads are known. */
export function raggedLayout(of: RowsOf & { readonly loads: Loads }): RowLayout {
  const { layer, chunks } = of;
  const { tokens, topK, slots: experts, rowDim, dtype } = layer;
  const rows = raggedRows(of);
  return {
    get sent() {
      return layer.partial || of.limit !== undefined ? rows.sent() : tokens * topK;
    },
    get room() {
      return rows.room();
    },
    uneven: true,
    rowsIn: (chunk, rank) => rank === undefined ? rows.busiest(chunk) : rows.rowsOf(chunk, rank),
    places: (rank) => ({
      dtype,
      tokens: tokensOf(layer, rank),
      columns: rowDim,
      topK,
      experts,
      chunks: rowSlices(chunks),
      firstRows: rows.firstRows(rank),
    }),
    matrix: (chunk, rank) => ({
      first: 0,
      rows: rows.rowsOf(chunk, rank),
      groups: layer.localSlots,
      stride: NaN,
      ranges: rows.ranges(chunk, rank),
    }),
    leg: (leg) => legRows(of, leg),
    expertRow: (rank, at) => rows.expertRow(rank, at),
  };
}

function legRows(of: RowsOf & { readonly loads: Loads }, { number, chunk }: LegOf): LegRows {
  const { layer, chunks } = of;
  const { topology: { ranks }, rowDim: columns, dtype } = layer;
  const rows = raggedRows(of);
  const bytes = elementBytes(layer) * columns;
  const count = (from: number, to: number) =>
    (number === 1 ? rows.slice(chunk, from, to) : rows.slice(chunk, to, from)).rows;
  const groupRows = (from: number, to: number) =>
    number === 1 ? rows.groups(chunk, from, to) : rows.groups(chunk, to, from);
  const firstRow = (rank: number, peer: number) => rows.slice(chunk, rank, peer).first;
  const equal = rows.equal(chunk);
  return {
    rows: count,
    groupRows,
    ...(equal === undefined ? {} : { equal }),
    get most() {
      return equal === undefined ? mostRows(count, ranks) : equal * layer.groups.size;
    },
    firstRow,
    tokens: (rank, buffer): Piece[] =>
      Array.from({ length: ranks }, (_, peer) => {
        const { rows: own, first } = rows.slice(chunk, rank, peer);
        const view = { buffer, offset: first * bytes };
        return {
          begin: peer,
          end: peer + 1,
          groups: 1,
          rowsOfGroup: own,
          contiguous: true,
          groupRows: rows.groups(chunk, rank, peer),
          rows: { view, dtype, block: 0, group: 0, row: columns },
        };
      }).filter(({ rowsOfGroup }) => rowsOfGroup > 0),
    experts: () => undefined,
    arrangement: (rank, at) => ({
      dtype,
      columns,
      loads: rows.chunkLoads(chunk, rank),
      bySource: byPeers(chunks),
      places: chunks[chunk],
      sources: sourceRanks(layer, chunks[chunk], rank),
      wire: { buffer: at.wire, offset: 0 },
      rows: { buffer: at.rows, offset: bytes * rows.firstOf(chunk, rank) },
    }),
  };
}

/** Most rows that a rank sends, or receives. */
function mostRows(count: (from: number, to: number) => number, ranks: number): number {
  let most = 0;
  for (let rank = 0; rank < ranks; rank++) {
    let [sent, received] = [0, 0];
    for (let peer = 0; peer < ranks; peer++) {
      sent += count(rank, peer);
      received += count(peer, rank);
    }
    most = Math.max(most, sent, received);
  }
  return most;
}
