/**
 * Rows where every place has one, taken or not.
 *
 * A rank's own rows lie chunk after chunk as [ranks][local experts][places]; with groups of peers there is one
 * slice of places, and the groups' blocks follow each other. Rows of experts lie as [local experts][capacity]
 * [ranks], or with groups of peers as [local experts][ranks][capacity].
 * Where expert groups are smaller than the world, "ranks" are those of a group, by place.
 * @module
 */
import { elementBytes, tokensOf } from "../blocks/mod.ts";
import { byPeers, destinations, mostPeers, type Peers, sources } from "../chunking/peer_groups.ts";
import { rowSlices } from "../chunking/split.ts";
import { type Chunk, SchemoeError } from "../types.ts";
import type { LegOf, LegRows, Piece, RowLayout, RowsOf } from "./rows.ts";

/** The padded layout of a pass. */
export function paddedRows(of: RowsOf): RowLayout {
  const { layer, capacity, chunks } = of;
  const { topology: { ranks }, localSlots, slots: experts, topK, rowDim, dtype } = layer;
  const { groups } = layer;
  return {
    sent: experts * capacity,
    room: localSlots * capacity * groups.size,
    uneven: false,
    rowsIn: (chunk, rank) =>
      localSlots *
      (rank === undefined
        ? Math.min(groups.size, mostPeers(chunks[chunk], ranks)) * places(chunks[chunk])
        : rowsOfExpert(of, chunk, rank)),
    places: (rank) => ({
      dtype,
      tokens: tokensOf(layer, rank),
      columns: rowDim,
      topK,
      experts,
      chunks: rowSlices(chunks),
    }),
    matrix: (chunk, rank) => ({
      first: firstRow(of, chunk, rank),
      rows: rowsOfExpert(of, chunk, rank),
      groups: localSlots,
      stride: capacity * groups.size,
    }),
    leg: (leg) => legRows(of, leg),
    expertRow: (_rank, { source, slot, place }) =>
      groups.size * capacity * slot +
      (byPeers(chunks)
        ? groups.place(source) * capacity + place
        : place * groups.size + groups.place(source)),
  };
}

const places = ({ begin, end }: Chunk): number => end - begin;

/** First row of an expert that belongs to a chunk. */
function firstRow({ chunks, capacity, layer }: RowsOf, chunk: number, rank: number): number {
  const { ranks } = layer.topology;
  return byPeers(chunks)
    ? sources(chunks[chunk], rank, ranks).begin * capacity
    : chunks[chunk].begin * layer.groups.size;
}

/** Rows of an expert that belong to a chunk. */
function rowsOfExpert({ chunks, layer }: RowsOf, chunk: number, rank: number): number {
  if (layer.groups.count > 1) return places(chunks[chunk]) * layer.groups.size;
  const from = sources(chunks[chunk], rank, layer.topology.ranks);
  return places(chunks[chunk]) * (from.end - from.begin);
}

function legRows(of: RowsOf, leg: LegOf): LegRows {
  return of.layer.groups.count > 1 ? groupedRows(of, leg) : worldRows(of, leg);
}

/** Where several groups hold copies of all experts: blocks for the ranks of the own group alone, by place. */
function groupedRows(of: RowsOf, { chunk }: LegOf): LegRows {
  const { layer, chunks, capacity } = of;
  const { groups, localSlots, slots: experts, rowDim: m, dtype } = layer;
  const { begin } = chunks[chunk];
  const rowsOfGroup = places(chunks[chunk]);
  const block = localSlots * rowsOfGroup;
  const bytes = elementBytes(layer);
  const common = { groups: localSlots, rowsOfGroup };
  const own = (peer: number) => experts * begin + groups.place(peer) * block;
  const first = (rank: number) => groups.members(rank)[0];
  // neighbours lie in one piece, others are named one by one
  const pieces = (
    rank: number,
    make: (peer: number) => Pick<Piece, "rows" | "contiguous">,
  ): Piece[] =>
    layer.parallel.layout === "inside"
      ? [{ ...common, begin: first(rank), end: first(rank) + groups.size, ...make(first(rank)) }]
      : groups.members(rank).map((peer) => ({
        ...common,
        begin: peer,
        end: peer + 1,
        ...make(peer),
      }));
  return {
    rows: (from, to) => groups.meet(from, to) ? block : 0,
    groupRows: (from, to) =>
      Array<number>(localSlots).fill(groups.meet(from, to) ? rowsOfGroup : 0),
    even: { rows: block, grouped: true },
    most: groups.size * block,
    firstRow: (_rank, peer) => own(peer),
    tokens: (rank, buffer) =>
      pieces(rank, (peer) => ({
        rows: {
          view: { buffer, offset: bytes * own(peer) * m },
          dtype,
          row: m,
          group: rowsOfGroup * m,
          block: block * m,
        },
        contiguous: true,
      })),
    experts: (rank, buffer) =>
      pieces(rank, (peer) => {
        const row = firstRow(of, chunk, rank) + groups.place(peer);
        const group = capacity * groups.size * m;
        const view = { buffer, offset: bytes * row * m };
        const rows = { view, dtype, block: m, group, row: groups.size * m };
        return { rows, contiguous: false };
      }),
    arrangement: refuseArrangement,
  };
}

function refuseArrangement(): never {
  throw new SchemoeError("Cannot arrange the rows: padded ones lie in strides");
}

function worldRows(of: RowsOf, { number, chunk }: LegOf): LegRows {
  const { layer, chunks, capacity } = of;
  const { topology: { ranks }, localSlots, slots: experts, rowDim: m, dtype } = layer;
  const { begin } = chunks[chunk];
  const rowsOfGroup = places(chunks[chunk]);
  const block = localSlots * rowsOfGroup;
  const bytes = elementBytes(layer);
  const pairs = pairsOf(of, { number, chunk });
  const at = (buffer: string, row: number) => ({ buffer, offset: bytes * row * m });
  const common = { groups: localSlots, rowsOfGroup };
  const own = (rank: number, peer: number) => experts * begin + peer * block + 0 * rank;
  return {
    rows: (from, to) => !pairs || pairs(from, to) ? block : 0,
    groupRows: (from, to) =>
      Array<number>(localSlots).fill(!pairs || pairs(from, to) ? rowsOfGroup : 0),
    even: { rows: block, ...(pairs ? { pairs } : {}) },
    most: mostPeers(chunks[chunk], ranks) * block,
    firstRow: own,
    tokens(rank, buffer): Piece[] {
      const to = destinations(chunks[chunk], rank, ranks);
      const view = at(buffer, own(rank, to.begin));
      const rows = { view, dtype, row: m, group: rowsOfGroup * m, block: block * m };
      return [{ ...common, ...to, rows, contiguous: true }];
    },
    experts(rank, buffer): Piece[] {
      const from: Peers = sources(chunks[chunk], rank, ranks);
      const view = at(buffer, firstRow(of, chunk, rank));
      const group = capacity * ranks * m;
      const rows = byPeers(chunks)
        ? { view, dtype, block: capacity * m, group, row: m }
        : { view, dtype, block: m, group, row: ranks * m };
      return [{ ...common, ...from, rows, contiguous: byPeers(chunks) && localSlots === 1 }];
    },
    arrangement: refuseArrangement,
  };
}

/** With groups of peers, who sends to whom on a leg; the way back is the reverse. */
function pairsOf({ layer, chunks }: RowsOf, { number, chunk }: LegOf) {
  if (!byPeers(chunks)) return undefined;
  const { ranks } = layer.topology;
  const to = Array.from({ length: ranks }, (_, rank) => destinations(chunks[chunk], rank, ranks));
  const sends = (a: number, b: number) => to[a].begin <= b && b < to[a].end;
  return number === 1 ? sends : (a: number, b: number) => sends(b, a);
}
