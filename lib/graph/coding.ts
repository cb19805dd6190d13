/** The kernels of a codec over blocks of rows: native ones, or JavaScript that reads and writes blocks. @module */
import type { Layer } from "../blocks/mod.ts";
import {
  checkNumbers,
  decodeRows,
  encodeRows,
  host,
  type RowNumbers,
  type Wire,
} from "../kernels/mod.ts";
import type { Piece } from "../memory/mod.ts";
import type { CodecContext, Compressor } from "../compressors/types.ts";
import { type HostContext, type Kernel, type Pass, SchemoeError, type View } from "../types.ts";
import type { NativeCodec } from "../kernels/types.ts";

const FLOAT_BYTES = 4;

/** Whether rows travel as they are. */
export const isPlain = ({ native }: Compressor): boolean => native?.codec === "none";

/** Consecutive blocks of a rank, and where they lie on the wire. */
export interface CodedBlock {
  readonly piece: Piece;
  /** Of the first of them; the others follow every `blockBytes`. */
  readonly wire: View;
  readonly blockBytes: number;
  /** Of the rows, where the codec rounds at random. */
  readonly numbers?: RowNumbers;
}

/** The codec of a leg's blocks, and where it is called. */
export interface Coded {
  readonly compressor: Compressor;
  readonly pass: Pass;
  readonly leg: 1 | 2;
  readonly chunk: number;
  readonly columns: number;
  /** Buffer for blocks whose rows do not lie one after another, where there may be such. */
  readonly stage?: string;
  /** Numbers of the tokens in the rows of a block, -1 for places without one; undefined where unknown. */
  tokens?(at: HostContext, peer: number): Int32Array | undefined;
  /** Memory of the codec that outlives a run, zero at first. */
  state(key: string, bytes: number): Uint8Array;
}

/** @throws {SchemoeError} when code of a user's own would get rows that are not float32. */
export function checkCodec({ name, native }: Compressor, { dtype }: Layer): void {
  if (native !== undefined || dtype === "float32") return;
  throw new SchemoeError(
    `Cannot use the compressor "${name}": code of one's own gets float32 rows, the layer has ${dtype}`,
  );
}

const states = new WeakMap<Layer, WeakMap<Compressor, Map<string, Uint8Array>>>();

/** Memory of a codec in a layer, made when it is first asked for. */
export function codecState(
  { layer, compressor, key, bytes }: {
    layer: Layer;
    compressor: Compressor;
    key: string;
    bytes: number;
  },
): Uint8Array {
  const ofLayer = states.get(layer) ?? new WeakMap<Compressor, Map<string, Uint8Array>>();
  states.set(layer, ofLayer);
  const ofCodec = ofLayer.get(compressor) ?? new Map<string, Uint8Array>();
  ofLayer.set(compressor, ofCodec);
  const state = ofCodec.get(key) ?? new Uint8Array(bytes);
  ofCodec.set(key, state);
  if (state.length === bytes) return state;
  throw new SchemoeError(
    `Cannot use the compressor "${compressor.name}": its state "${key}" has ${state.length} bytes, not ${bytes}`,
  );
}

/** Rows to blocks on the wire. */
export function encodeBlocks(coded: Coded, blocks: readonly CodedBlock[]): Kernel[] {
  const { compressor } = coded;
  const { native } = compressor;
  if (native !== undefined) {
    const seeded = seededFor(coded, native);
    return blocks.map((block) => encodeRows(block.piece.rows, wireOf(coded, seeded, block)));
  }
  const offsets = stageOffsets(coded, blocks);
  const gathered = blocks.flatMap(({ piece }, i) =>
    piece.contiguous ? [] : [encodeRows(piece.rows, stageOf(coded, piece, offsets[i]))]
  );
  const run = async (at: HostContext) => {
    for (const { peer, rows, values, wire, bytes } of eachBlock(coded, blocks)) {
      const size = FLOAT_BYTES * rows * coded.columns;
      const floats = new Float32Array(at.read(values, size).buffer);
      const block = { rows, columns: coded.columns };
      const encoded = await compressor.encode!(floats, block, contextOf(coded, at, peer));
      expectValues(compressor, ["encode", Uint8Array], encoded, bytes);
      at.write(wire, encoded);
    }
  };
  return blocks.length ? [...gathered, host(run)] : [];
}

/** Blocks on the wire to rows. */
export function decodeBlocks(coded: Coded, blocks: readonly CodedBlock[]): Kernel[] {
  const { compressor } = coded;
  const { native } = compressor;
  if (native !== undefined) {
    const unseeded = { ...native, seed: 0 };
    return blocks.map((block) => decodeRows(block.piece.rows, wireOf(coded, unseeded, block)));
  }
  const run = async (at: HostContext) => {
    for (const { peer, rows, values, wire, bytes } of eachBlock(coded, blocks)) {
      const block = { rows, columns: coded.columns };
      const encoded = at.read(wire, bytes);
      const decoded = await compressor.decode!(encoded, block, contextOf(coded, at, peer));
      expectValues(compressor, ["decode", Float32Array], decoded, rows * coded.columns);
      at.write(values, new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength));
    }
  };
  const offsets = stageOffsets(coded, blocks);
  const spread = blocks.flatMap(({ piece }, i) =>
    piece.contiguous ? [] : [decodeRows(piece.rows, stageOf(coded, piece, offsets[i]))]
  );
  const decoded = [...eachBlock(coded, blocks)].map(({ rows, values }) =>
    checkNumbers({
      ...values,
      rows,
      columns: coded.columns,
      ld: coded.columns,
      groups: 1,
      stride: 0,
    })
  );
  return blocks.length ? [host(run), ...decoded, ...spread] : [];
}

/** Other random bits on each leg and pass. */
function seededFor({ leg, pass }: Coded, native: NativeCodec): NativeCodec {
  const { seed = 0 } = native;
  const way = leg - 1 + (pass === "backward" ? 2 : 0);
  return seed === 0 ? native : { ...native, seed: 4 * seed + way };
}

function wireOf(
  { columns, compressor }: Coded,
  codec: NativeCodec,
  { piece, wire, blockBytes, numbers }: CodedBlock,
): Wire {
  const { begin, end, rowsOfGroup } = piece;
  const groupRows = compressor.grouped || numbers ? piece.groupRows : undefined;
  return {
    codec,
    view: wire,
    blockBytes,
    blocks: end - begin,
    rows: rowsOfGroup,
    columns,
    ...(groupRows ? { groups: groupRows.length, groupRows } : { groups: piece.groups }),
    ...(numbers ? { numbers } : {}),
  };
}

/** Blocks of a piece one after another as floats. */
function stageOf(
  { columns, stage }: Coded,
  { begin, end, groups, rowsOfGroup }: Piece,
  offset: number,
): Wire {
  const blockBytes = FLOAT_BYTES * groups * rowsOfGroup * columns;
  const view = { buffer: stage!, offset };
  const rows = rowsOfGroup;
  return { codec: { codec: "none" }, view, blockBytes, blocks: end - begin, groups, rows, columns };
}

/** First block of each piece among all staged blocks. */
function stageOffsets({ columns }: Coded, blocks: readonly CodedBlock[]): number[] {
  let offset = 0;
  return blocks.map(({ piece: { begin, end, groups, rowsOfGroup, contiguous } }) => {
    const here = offset;
    if (!contiguous) offset += FLOAT_BYTES * groups * rowsOfGroup * columns * (end - begin);
    return here;
  });
}

/** The blocks one by one: their rows as floats, and their bytes on the wire. */
function* eachBlock(coded: Coded, blocks: readonly CodedBlock[]) {
  const offsets = stageOffsets(coded, blocks);
  for (const [number, { piece, wire, blockBytes }] of blocks.entries()) {
    const { begin, end, groups, rowsOfGroup, contiguous } = piece;
    const rows = groups * rowsOfGroup;
    const size = FLOAT_BYTES * rows * coded.columns;
    const from = contiguous ? piece.rows.view : { buffer: coded.stage!, offset: offsets[number] };
    for (let i = 0; i < end - begin; i++) {
      yield {
        peer: begin + i,
        rows,
        bytes: blockBytes,
        values: { buffer: from.buffer, offset: from.offset + i * size },
        wire: { buffer: wire.buffer, offset: wire.offset + i * blockBytes },
      };
    }
  }
}

function contextOf(coded: Coded, at: HostContext, peer: number): CodecContext {
  const { pass, leg, chunk } = coded;
  const { rank } = at;
  return {
    rank,
    peer,
    chunk,
    leg,
    pass,
    get tokens() {
      return coded.tokens?.(at, peer);
    },
    state: (name, bytes) => coded.state([pass, leg, chunk, rank, peer, name].join(" "), bytes),
  };
}

/** @throws {SchemoeError} when a user's function returned something else than it must. */
function expectValues(
  compressor: Compressor,
  [name, type]: readonly [string, typeof Uint8Array | typeof Float32Array],
  got: unknown,
  expected: number,
): void {
  if (got instanceof type && got.length === expected) return;
  const found = ArrayBuffer.isView(got) || Array.isArray(got)
    ? `${got.constructor.name} of ${(got as Uint8Array).length}`
    : `${got}`;
  throw new SchemoeError(
    `compressor "${compressor.name}": ${name} must return a ${type.name} of ${expected}, got ${found}`,
  );
}
