/**
 * Where the rows of a dropless layer lie: only places that are taken have rows.
 *
 * A source's rows lie compactly as [chunk][expert][rows], those of an expert as [place][sources that have
 * it] (with groups of peers [source][rows]), so that a slice of places is one range of rows of each
 * expert however a pass is split: forward and backward may be split in different ways.
 * @module
 */
import type { Layer } from "../blocks/mod.ts";
import { eachOf, loadOf } from "../chunking/loads.ts";
import { expertsOf } from "../chunking/expert_waves.ts";
import { byPeers, destinations, sources } from "../chunking/peer_groups.ts";
import { rowSlices, splitKind } from "../chunking/split.ts";
import type { Chunk, Loads } from "../types.ts";
import type { RowRange } from "../kernels/types.ts";
import type { TakenPlace } from "./rows.ts";

/** Buffers of rows grow in steps of this part of a rank's own rows, not with every other routing. */
const GROWTH = 8;

/** A layer's rows with the loads that they are laid out for. */
export interface RaggedWay {
  readonly layer: Layer;
  readonly chunks: readonly Chunk[];
  readonly loads: Loads;
  /** Present where rows are those of all places. */
  readonly limit?: number;
}

/** Ranks of a world in which the loads of each rank's experts are kept. */
const MOST_KEPT = 256;

/** Rows in whole words, also of two bytes an element. */
const even = (rows: number): number => rows + rows % 2;

export class RaggedRows {
  readonly #way: RaggedWay;
  readonly #slices: readonly Chunk[];
  readonly #firsts: Int32Array[] = [];
  readonly #ranges = new Map<number, ChunkRows>();
  readonly #local: Loads[] = [];
  readonly #slots = new Map<number, Int32Array>();
  /** Load of every slot from every rank, where rows are those of one rank for all. */
  readonly #each?: number;
  #most?: number;

  constructor(way: RaggedWay) {
    this.#way = way;
    this.#slices = rowSlices(way.chunks);
    this.#each = byPeers(way.chunks) ? undefined : eachOf(way.loads);
  }

  /** Rows of the slice between any two ranks that exchange some, where all are of equal size. */
  equal(chunk: number): number | undefined {
    if (this.#each === undefined) return undefined;
    return this.slice(chunk, 0, this.#way.layer.groups.members(0)[0]).rows;
  }

  /** First row of each (slice, expert) on a source, and the end. */
  firstRows(source: number): Int32Array {
    const of = this.#each === undefined ? source : 0;
    return this.#firsts[of] ??= this.#countRows(of);
  }

  /** Rows from a source to a destination in a chunk, and the first of them on the source. */
  slice(chunk: number, source: number, destination: number): RowRange {
    const rows = this.firstRows(source);
    const { at, count } = this.#slotsAt(chunk, destination);
    const part = this.#exchange(chunk, source, destination);
    return { first: rows[at], rows: part ? rows[at + count] - rows[at] : 0 };
  }

  /** Where the first rows of a destination's slots in a chunk are, and how many slots these are. */
  #slotsAt(chunk: number, destination: number): { readonly at: number; readonly count: number } {
    const { layer: { slots, localSlots, groups }, chunks } = this.#way;
    const slice = splitKind(chunks) === "capacity" ? chunk : 0;
    const { begin, end } = expertsOf(chunks[chunk], localSlots);
    const at = slice * slots + groups.place(destination) * localSlots + begin;
    return { at, count: end - begin };
  }

  /** The rows of a slice by expert. */
  groups(chunk: number, source: number, destination: number): number[] {
    const part = this.#exchange(chunk, source, destination);
    const rows = this.firstRows(source);
    const { at, count } = this.#slotsAt(chunk, destination);
    return Array.from({ length: count }, (_, e) => part ? rows[at + e + 1] - rows[at + e] : 0);
  }

  #exchange(chunk: number, source: number, destination: number): boolean {
    const { layer: { groups }, chunks } = this.#way;
    const to = destinations(chunks[chunk], groups.place(source), groups.size);
    const place = groups.place(destination);
    return to.begin <= place && place < to.end && groups.meet(source, destination);
  }

  /** Rows of each expert of a rank that belong to a chunk. */
  ranges(chunk: number, rank: number): readonly RowRange[] {
    return this.#chunkRows(chunk, rank).ranges;
  }

  #chunkRows(chunk: number, rank: number): ChunkRows {
    const of = this.#each === undefined ? rank : 0;
    const key = chunk * this.#way.layer.topology.ranks + of;
    let found = this.#ranges.get(key);
    if (!found) this.#ranges.set(key, found = this.#rangesOf(chunk, of));
    return found;
  }

  /** Rows that the experts of the busiest rank get in a chunk. */
  busiest(chunk: number): number {
    if (this.#each !== undefined) return this.rowsOf(chunk, 0);
    let most = 0;
    for (let rank = 0; rank < this.#way.layer.topology.ranks; rank++) {
      most = Math.max(most, this.rowsOf(chunk, rank));
    }
    return most;
  }

  /** Rows that the experts of a rank get in a chunk. */
  rowsOf(chunk: number, rank: number): number {
    return this.#chunkRows(chunk, rank).sum;
  }

  /** Rows to provide for the experts of a rank: those of the busiest, rounded up. */
  room(): number {
    const { layer: { tokens, gate, topK, topology: { ranks } }, loads } = this.#way;
    if (this.#most === undefined) {
      const { layer: { localSlots, groups } } = this.#way;
      const each = eachOf(loads);
      this.#most = each === undefined ? this.#busiestOfAll() : each * localSlots * groups.size;
    }
    // as many as may be sent: on one rank these are the rows of its experts
    if (this.#way.limit !== undefined) return even(this.#most);
    const step = Math.ceil(tokens * gate.k / GROWTH);
    return Math.min(Math.ceil(this.#most / step) * step, ranks * tokens * topK);
  }

  #busiestOfAll(): number {
    const { layer: { localSlots, groups, topology: { ranks } }, loads } = this.#way;
    const perRank = new Float64Array(ranks);
    for (let source = 0; source < ranks; source++) {
      const members = groups.members(source);
      for (let e = 0; e < loads.experts; e++) {
        perRank[members[Math.floor(e / localSlots)]] += loadOf(loads, source, e);
      }
    }
    return perRank.reduce((a, b) => Math.max(a, b));
  }

  /** Rows to provide for the choices of a rank, some of which may go nowhere: as many as any rank has, rounded up. */
  sent(): number {
    const { layer: { tokens, gate, topK, topology: { ranks } } } = this.#way;
    let most = 0;
    const differ = this.#each === undefined ? ranks : 1;
    for (let rank = 0; rank < differ; rank++) most = Math.max(most, this.firstRows(rank).at(-1)!);
    if (this.#way.limit !== undefined) return even(most);
    const step = Math.ceil(tokens * gate.k / GROWTH);
    return Math.min(Math.ceil(most / step) * step, tokens * topK);
  }

  /** Loads of all ranks for the experts of one. */
  localLoads(rank: number): Loads {
    return this.#local[rank] ??= this.#loadsOf(rank);
  }

  /** The same for those that belong to a chunk. */
  chunkLoads(chunk: number, rank: number): Loads {
    const all = this.localLoads(rank);
    const { begin, end } = expertsOf(this.#way.chunks[chunk], all.experts);
    const { ranks, experts } = all;
    if (end - begin === experts) return all;
    const table = new Int32Array(ranks * (end - begin));
    for (let source = 0; source < ranks; source++) {
      const own = all.table.subarray(source * experts + begin, source * experts + end);
      table.set(own, source * (end - begin));
    }
    return { ranks, experts: end - begin, table };
  }

  /** First row of the experts of a rank that belong to a chunk. */
  firstOf(chunk: number, rank: number): number {
    const { begin } = expertsOf(this.#way.chunks[chunk], this.#way.layer.localSlots);
    return begin === 0 ? 0 : this.#firstOf(rank)[begin];
  }

  /** Row of a place that a source's token takes in a slot of a rank. */
  expertRow(rank: number, { source, slot, place }: TakenPlace): number {
    const { ranks, experts, table } = this.localLoads(rank);
    const { chunks } = this.#way;
    let row = this.#firstOf(rank)[slot];
    for (let other = 0; other < ranks; other++) {
      const load = table[other * experts + slot];
      if (byPeers(chunks)) row += other < source ? load : 0;
      else row += Math.min(load, place) + (other < source && load > place ? 1 : 0);
    }
    return byPeers(chunks) ? row + place : row;
  }

  /** First row of each slot of a rank. */
  #firstOf(rank: number): Int32Array {
    let firsts = this.#slots.get(rank);
    if (!firsts) {
      const { ranks, experts, table } = this.localLoads(rank);
      firsts = new Int32Array(experts);
      for (let slot = 0, sum = 0; slot < experts; slot++) {
        firsts[slot] = sum;
        for (let source = 0; source < ranks; source++) sum += table[source * experts + slot];
      }
      this.#slots.set(rank, firsts);
    }
    return firsts;
  }

  #loadsOf(rank: number): Loads {
    const { layer: { localSlots, groups, topology: { ranks } }, loads } = this.#way;
    const table = new Int32Array(ranks * localSlots);
    const place = groups.place(rank) * localSlots;
    const each = eachOf(loads);
    for (let source = 0; source < ranks; source++) {
      if (!groups.meet(source, rank)) continue;
      if (each !== undefined) {
        table.fill(each, source * localSlots, (source + 1) * localSlots);
        continue;
      }
      const first = source * loads.experts + place;
      table.set(loads.table.subarray(first, first + localSlots), source * localSlots);
    }
    return { ranks, experts: localSlots, table };
  }

  #countRows(source: number): Int32Array {
    const { layer: { slots: experts }, loads } = this.#way;
    const each = eachOf(loads);
    const rows = new Int32Array(this.#slices.length * experts + 1);
    let [sum, at] = [0, 0];
    for (const { begin, end } of this.#slices) {
      for (let e = 0; e < experts; e++) {
        rows[++at] = sum += taken(each ?? loadOf(loads, source, e), begin, end);
      }
    }
    return rows;
  }

  #rangesOf(chunk: number, rank: number): ChunkRows {
    const { layer: { localSlots, topology: { ranks } }, chunks } = this.#way;
    const { begin, end } = chunks[chunk];
    const from = sourceRanks(this.#way.layer, chunks[chunk], rank);
    const peers = byPeers(chunks);
    // of thousands of ranks all tables together would fill the memory
    const { table } = ranks > MOST_KEPT ? this.#loadsOf(rank) : this.localLoads(rank);
    const ranges: RowRange[] = [];
    const wave = expertsOf(chunks[chunk], localSlots);
    let base = 0;
    let sum = 0;
    for (let i = 0; i < localSlots; i++) {
      let all = 0;
      let before = 0;
      let rows = 0;
      for (let source = 0; source < ranks; source++) {
        const load = table[source * localSlots + i];
        all += load;
        if (!peers) before += Math.min(load, begin);
        else if (source < from.begin) before += load;
        const part = i >= wave.begin && i < wave.end && source >= from.begin && source < from.end;
        if (part) rows += taken(load, begin, end);
      }
      ranges.push({ first: base + before, rows });
      base += all;
      sum += rows;
    }
    return { ranges, sum };
  }
}

/** Ranks between which those lie whose tokens a rank computes in a chunk; others among them send it nothing. */
export function sourceRanks(
  { groups }: Layer,
  chunk: Chunk,
  rank: number,
): { readonly begin: number; readonly end: number } {
  const { begin, end } = sources(chunk, groups.place(rank), groups.size);
  const members = groups.members(rank);
  return begin < end ? { begin: members[begin], end: members[end - 1] + 1 } : { begin: 0, end: 0 };
}

/** The rows of a rank's experts in a chunk. */
interface ChunkRows {
  readonly ranges: readonly RowRange[];
  readonly sum: number;
}

/** Places from `begin` to `end` that a load takes. */
const taken = (load: number, begin: number, end: number): number =>
  Math.max(0, Math.min(load, end) - begin);

const known = new WeakMap<Loads, WeakMap<readonly Chunk[], RaggedRows>>();

/** The rows of a way, worked out once for its loads and chunks. */
export function raggedRows(way: RaggedWay): RaggedRows {
  const { chunks, loads } = way;
  let ways = known.get(loads);
  if (!ways) known.set(loads, ways = new WeakMap());
  let rows = ways.get(chunks);
  if (!rows) ways.set(chunks, rows = new RaggedRows(way));
  return rows;
}
