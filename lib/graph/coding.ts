/** The kernels of a codec over blocks of rows: native ones, compiled ones, or JavaScript that reads and writes blocks. @module */
import { createHash } from "node:crypto";
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
import type { CodecContext, Compressor, WireBlock } from "../compressors/types.ts";
import { type HostContext, type Kernel, type Pass, SchemoeError, type View } from "../types.ts";
import { awaitUser } from "../user_code.ts";
import { quoted } from "../words.ts";
import type { NativeCodec } from "../kernels/types.ts";
import { wireBytes } from "./wire.ts";

const FLOAT_BYTES = 4;
/** Of an element of a layer whose rows are no floats. */
const STORED_BYTES = 2;

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
  /** Whose blocks they are. */
  readonly rank: number;
  /** Buffer for blocks whose rows do not lie one after another, where there may be such. */
  readonly stage?: string;
  /** Buffer for all rows as floats, where the layer's are bfloat16 and the codec is a user's own. */
  readonly floats?: string;
  /** Numbers of the tokens in the rows of a block, -1 for places without one; undefined where unknown. */
  tokens?(at: HostContext, peer: number): Int32Array | undefined;
  /** Memory of the codec that outlives a run, zero at first. */
  state(key: string, bytes: number): Uint8Array;
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
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new SchemoeError(
      `Cannot use the compressor "${compressor.name}": its state "${key}" is to have ${
        quoted(bytes)
      } bytes`,
    );
  }
  const ofLayer = states.get(layer) ?? new WeakMap<Compressor, Map<string, Uint8Array>>();
  states.set(layer, ofLayer);
  const ofCodec = ofLayer.get(compressor) ?? new Map<string, Uint8Array>();
  ofLayer.set(compressor, ofCodec);
  const state = ofCodec.get(key) ?? new Uint8Array(bytes);
  ofCodec.set(key, state);
  if (state.length === bytes) return state;
  throw new SchemoeError(
    `Cannot use the compressor "${compressor.name}": its state "${key}" has ${state.length} bytes, not ${bytes}; ` +
      "a state keeps its size, so give one for blocks of another size another name, such as `lost ${values.length}`",
  );
}

/** Rows to blocks on the wire. */
export function encodeBlocks(coded: Coded, blocks: readonly CodedBlock[]): Kernel[] {
  const { compressor } = coded;
  const { native, kernels } = compressor;
  if (native !== undefined) {
    const seeded = seededFor(coded, native);
    return blocks.map((block) => encodeRows(block.piece.rows, wireOf(coded, seeded, block)));
  }
  if (blocks.length === 0) return [];
  const staged = stagePieces(coded, blocks, "to");
  if (kernels) return [...staged, ...sourceCalls(coded, blocks, "encode")];
  const run = async (at: HostContext) => {
    for (const { peer, block, values, wire, bytes } of eachBlock(coded, blocks)) {
      const size = FLOAT_BYTES * block.rows * block.columns;
      const floats = new Float32Array(at.read(values, size).buffer);
      const encoded = await awaitUser(
        `the compressor "${compressor.name}"`,
        "encode",
        () => compressor.encode!(floats, block, contextOf(coded, at, peer)),
      );
      expectValues(compressor, ["encode", Uint8Array], encoded, bytes);
      at.write(wire, encoded);
    }
  };
  return [...staged, host(run, labelOf(compressor, "encode"))];
}

/** Blocks on the wire to rows. */
export function decodeBlocks(coded: Coded, blocks: readonly CodedBlock[]): Kernel[] {
  const { columns, compressor } = coded;
  const { native, kernels } = compressor;
  if (native !== undefined) {
    const unseeded = { ...native, seed: 0 };
    return blocks.map((block) => decodeRows(block.piece.rows, wireOf(coded, unseeded, block)));
  }
  if (blocks.length === 0) return [];
  const run = async (at: HostContext) => {
    for (const { peer, block, values, wire, bytes } of eachBlock(coded, blocks)) {
      const encoded = at.read(wire, bytes);
      const decoded = await awaitUser(
        `the compressor "${compressor.name}"`,
        "decode",
        () => compressor.decode!(encoded, block, contextOf(coded, at, peer)),
      );
      expectValues(compressor, ["decode", Float32Array], decoded, block.rows * columns);
      at.write(values, new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength));
    }
  };
  const decoded = kernels
    ? sourceCalls(coded, blocks, "decode")
    : [host(run, labelOf(compressor, "decode"))];
  const checks = [...eachBlock(coded, blocks)].flatMap(({ groups }) =>
    groups.map(({ rows, values }) =>
      checkNumbers({ ...values, rows, columns, ld: columns, groups: 1, stride: 0 })
    )
  );
  return [...decoded, ...checks, ...stagePieces(coded, blocks, "from")];
}

/** Another codec takes another time, also where it has the name of one before. */
function labelOf({ name, encode, decode }: Compressor, way: "encode" | "decode"): string {
  const hash = createHash("sha256").update(`${encode} ${decode}`).digest("hex");
  return `${way} of ${name}/${hash.slice(0, 8)}`;
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

/** Where the blocks of each piece lie one after another, and where they do as floats. */
function placesOf({ columns, floats, stage }: Coded, blocks: readonly CodedBlock[]) {
  let [staged, all] = [0, 0];
  return blocks.map(({ piece: { begin, end, groups, rowsOfGroup, contiguous, rows } }) => {
    const size = floats === undefined ? FLOAT_BYTES : STORED_BYTES;
    const together = contiguous ? rows.view : { buffer: stage!, offset: size * staged };
    const values = floats === undefined ? together : { buffer: floats, offset: FLOAT_BYTES * all };
    const elements = groups * rowsOfGroup * columns * (end - begin);
    if (!contiguous) staged += elements;
    all += elements;
    return { together, values };
  });
}

/** Rows of each piece to floats that follow each other block by block, or back from them. */
function stagePieces(coded: Coded, blocks: readonly CodedBlock[], way: "to" | "from"): Kernel[] {
  const { columns, floats } = coded;
  const places = placesOf(coded, blocks);
  return blocks.flatMap(({ piece }, i) => {
    const { begin, end, groups, rowsOfGroup, contiguous, rows } = piece;
    const { together, values } = places[i];
    const kernels: Kernel[] = [];
    const list = { blocks: end - begin, rows: groups * rowsOfGroup, columns };
    const elements = list.rows * columns;
    if (!contiguous) {
      const blockBytes = (floats === undefined ? FLOAT_BYTES : STORED_BYTES) * elements;
      const wire = { ...list, codec: { codec: "none" }, view: together, blockBytes, groups };
      kernels.push((way === "to" ? encodeRows : decodeRows)(rows, { ...wire, rows: rowsOfGroup }));
    }
    if (floats !== undefined) {
      // Rows as they are stored are the wire of a codec whose rows are the floats.
      const wire = { ...list, codec: { codec: "bf16" }, view: together, groups: 1 };
      kernels.push(
        (way === "to" ? decodeRows : encodeRows)(
          { view: values, block: elements, group: 0, row: columns },
          { ...wire, blockBytes: STORED_BYTES * elements },
        ),
      );
    }
    return way === "to" ? kernels : kernels.toReversed();
  });
}

/** Calls of a function of compiled code for the rows of each expert in each block. */
function sourceCalls(
  coded: Coded,
  blocks: readonly CodedBlock[],
  name: "encode" | "decode",
): Kernel[] {
  const { columns, compressor, chunk, leg, pass } = coded;
  const calls: Kernel[] = [];
  for (const { peer, groups, wire } of eachBlock(coded, blocks)) {
    let offset = wire.offset;
    for (const { rows, values } of groups) {
      const bytes = wireBytes(compressor, { rows, columns });
      const spans = [
        { ...values, bytes: FLOAT_BYTES * rows * columns },
        { buffer: wire.buffer, offset, bytes },
      ];
      const way = pass === "backward" ? 1 : 0;
      calls.push(compressor.kernels!.call(name, {
        buffers: name === "encode" ? spans : spans.toReversed(),
        output: 1,
        numbers: [rows, columns, coded.rank, peer, chunk, leg, way],
        threads: rows * columns,
      }));
      offset += bytes;
    }
  }
  return calls;
}

/** The blocks one by one, as `wireBytes` was given them: rows as floats, those of each expert too, bytes on the wire. */
function* eachBlock(coded: Coded, blocks: readonly CodedBlock[]) {
  const { columns, compressor, floats } = coded;
  const elementBytes = floats === undefined ? FLOAT_BYTES : STORED_BYTES;
  const places = placesOf(coded, blocks);
  for (const [number, { piece, wire, blockBytes }] of blocks.entries()) {
    const { begin, end, groups, rowsOfGroup } = piece;
    const rows = groups * rowsOfGroup;
    const { buffer, offset } = places[number].values;
    const groupRows = piece.groupRows ?? Array<number>(groups).fill(rowsOfGroup);
    const block: WireBlock = {
      ...{ rows, columns, elementBytes },
      ...(compressor.grouped ? { groups: groupRows } : {}),
    };
    for (let i = 0; i < end - begin; i++) {
      const at = (row: number) => ({ buffer, offset: offset + FLOAT_BYTES * row * columns });
      let before = i * rows;
      const list = groupRows.map((count) => {
        before += count;
        return { rows: count, values: at(before - count) };
      });
      yield {
        peer: begin + i,
        block,
        bytes: blockBytes,
        values: at(i * rows),
        groups: list.filter(({ rows }) => rows > 0),
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
    : quoted(got);
  throw new SchemoeError(
    `compressor "${compressor.name}": ${name} must return a ${type.name} of ${expected}, got ${found}`,
  );
}
