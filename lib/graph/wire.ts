/** Sizes and places of the encoded blocks of a leg. @module */
import { aCodec, aSize, expect, record } from "../arguments/mod.ts";
import { elementBytes, type Layer } from "../blocks/mod.ts";
import type { LegRows } from "../memory/mod.ts";
import type { Compressor, WireBlock } from "../compressors/types.ts";
import { SchemoeError } from "../types.ts";
import { callUser } from "../user_code.ts";
import { quoted } from "../words.ts";

const WIRE_BYTES_BLOCK = record("a block { rows, columns }", { rows: aSize, columns: aSize });

/** Encoded blocks that differ in size begin at multiples of it. */
const BLOCK_ALIGNMENT = 16;

/** Whether rows travel as they are. */
export const isPlain = ({ native }: Compressor): boolean => native?.codec === "none";

/** Encoded blocks of a leg. */
export interface BlockSizes {
  /** Bytes of the largest block. */
  readonly largest: number;
  /** Bytes of the block from a rank to another; 0 where they exchange nothing. */
  bytes(from: number, to: number): number;
  /** Where the block for (`in`), or from (`out`), a peer begins among those of a rank. */
  begin(side: "in" | "out", rank: number, peer: number): number;
  /** Bytes to provide for the blocks of a rank. */
  room(side: "in" | "out"): number;
  /** Bytes that coding reads and writes on the busiest rank, whose rows have so many. */
  traffic(rowBytes: number): number;
}

/** The codec of a leg's blocks. */
interface Coding {
  readonly layer: Layer;
  readonly compressor: Compressor;
}

/** Bytes of a block. @throws {SchemoeError} when the compressor gives no usable number. */
export function wireBytes(compressor: Compressor, block: WireBlock): number {
  expect("wireBytes", "compressor", compressor, aCodec);
  expect("wireBytes", "block", block, WIRE_BYTES_BLOCK);
  const whose = `the compressor "${compressor.name}"`;
  const bytes = callUser(whose, "wireBytes", () => compressor.wireBytes(block));
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new SchemoeError(
      `Cannot use the compressor "${compressor.name}": wireBytes of ${block.rows} x ${block.columns} is ` +
        `${quoted(bytes)}, not a positive integer`,
    );
  }
  return bytes;
}

/** Sizes of the blocks of a leg. */
export function blockSizes(rows: LegRows, coding: Coding): BlockSizes {
  if (rows.even) return evenSizes(rows, rows.even.rows, coding);
  if (rows.counted) return countedSizes(rows, rows.equal!, coding);
  return rows.equal === undefined ? unevenSizes(rows, coding) : equalSizes(rows, coding);
}

const blockOf = ({ layer }: Coding, rows: number, groups?: readonly number[]): WireBlock => ({
  rows,
  columns: layer.rowDim,
  elementBytes: elementBytes(layer),
  ...(groups ? { groups } : {}),
});

/** Parameters of a block's size. */
function sizeKey({ compressor }: Coding, rows: LegRows, from: number, to: number) {
  const count = rows.rows(from, to);
  const groups = compressor.grouped ? rows.groupRows(from, to) : undefined;
  return { count, groups, key: groups ? groups.join() : count };
}

function evenSizes(rows: LegRows, count: number, coding: Coding): BlockSizes {
  const { localSlots, groups } = coding.layer;
  const each = Array<number>(localSlots).fill(count / localSlots);
  const block = blockOf(coding, count, coding.compressor.grouped ? each : undefined);
  const bytes = wireBytes(coding.compressor, block);
  return {
    largest: bytes,
    bytes: (from, to) => rows.rows(from, to) ? bytes : 0,
    begin: (_side, _rank, peer) => groups.place(peer) * bytes,
    room: () => groups.size * bytes,
    traffic: (rowBytes) => rowBytes + (rows.most / count) * bytes,
  };
}

/** Rows as they are follow each other, because they are moved together. */
const unitOf = ({ compressor }: Coding): number => isPlain(compressor) ? 1 : BLOCK_ALIGNMENT;

/** Blocks of one size that begin where blocks of their own sizes would. */
function equalSizes(rows: LegRows, coding: Coding): BlockSizes {
  const { groups } = coding.layer;
  const { count, groups: each } = sizeKey(coding, rows, 0, groups.members(0)[0]);
  const bytes = count === 0 ? 0 : wireBytes(coding.compressor, blockOf(coding, count, each));
  const unit = unitOf(coding);
  const step = Math.ceil(bytes / unit) * unit;
  return {
    largest: bytes,
    bytes: (from, to) => groups.meet(from, to) ? bytes : 0,
    begin: (_side, _rank, peer) => groups.place(peer) * step,
    room: () => groups.size * step,
    traffic: (rowBytes) => rowBytes + groups.size * step,
  };
}

/** Blocks of rows as they are that are counted, one after another: bytes are those of equal loads. */
function countedSizes(rows: LegRows, count: number, coding: Coding): BlockSizes {
  const { layer: { topology: { ranks } } } = coding;
  const bytes = wireBytes(coding.compressor, blockOf(coding, count));
  return {
    largest: bytes,
    bytes: () => bytes,
    begin: () => 0,
    room: () => Math.ceil((rows.most / count) * bytes),
    traffic: () => 2 * ranks * bytes,
  };
}

/** Ranks of a world in which the size of every block is kept. */
const KEPT_RANKS = 256;

/** Sizes of blocks, worked out once in worlds in which they can be kept, else when they are asked for. */
function sizesOf(rows: LegRows, coding: Coding): (from: number, to: number) => number {
  const { ranks } = coding.layer.topology;
  const known = new Map<string | number, number>();
  const size = (from: number, to: number): number => {
    const { count, groups, key } = sizeKey(coding, rows, from, to);
    if (count === 0) return 0;
    let bytes = known.get(key);
    if (bytes === undefined) {
      known.set(key, bytes = wireBytes(coding.compressor, blockOf(coding, count, groups)));
    }
    return bytes;
  };
  if (ranks > KEPT_RANKS) return size;
  const table = Float64Array.from(
    { length: ranks * ranks },
    (_, i) => size(Math.floor(i / ranks), i % ranks),
  );
  return (from, to) => table[from * ranks + to];
}

function unevenSizes(rows: LegRows, coding: Coding): BlockSizes {
  const { ranks } = coding.layer.topology;
  const unit = unitOf(coding);
  const size = sizesOf(rows, coding);
  let largest = 0;
  for (let from = 0; from < ranks; from++) {
    for (let to = 0; to < ranks; to++) largest = Math.max(largest, size(from, to));
  }
  const begins = { in: new Map<number, Float64Array>(), out: new Map<number, Float64Array>() };
  const beginsOf = (side: "in" | "out", rank: number): Float64Array => {
    let list = begins[side].get(rank);
    if (!list) {
      if (begins[side].size === KEPT_RANKS) {
        begins[side].delete(begins[side].keys().next().value!);
      }
      begins[side].set(rank, list = new Float64Array(ranks + 1));
      for (let peer = 0; peer < ranks; peer++) {
        const bytes = side === "in" ? size(rank, peer) : size(peer, rank);
        list[peer + 1] = list[peer] + Math.ceil(bytes / unit) * unit;
      }
    }
    return list;
  };
  const room = (side: "in" | "out") => {
    let most = 0;
    for (let rank = 0; rank < ranks; rank++) most = Math.max(most, beginsOf(side, rank)[ranks]);
    return most;
  };
  return {
    largest,
    bytes: size,
    begin: (side, rank, peer) => beginsOf(side, rank)[peer],
    room,
    traffic: (rowBytes) => rowBytes + Math.max(room("in"), room("out")),
  };
}
