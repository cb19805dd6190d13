/**
 * One way of the rows of a chunk: compress, all-to-all, decompress.
 * @module
 */
import { decodeRows, encodeRows, type Rows } from "../kernels/mod.ts";
import { elementBytes, type Layer } from "../blocks/mod.ts";
import {
  type AllToAll,
  type Block,
  type Chunk,
  type Compressor,
  type Kernel,
  type Loads,
  SchemoeError,
  type Task,
  type View,
} from "../types.ts";
import { callUser } from "../user_code.ts";
import type { GraphBuilder } from "./builder.ts";
import {
  byPeers,
  destinations,
  mostPeers,
  type Peers,
  rowSlices,
  sources,
} from "../chunking/peer_groups.ts";

const FLOAT_BYTES = 4;
/** Wire blocks of chunks begin at multiples of it. */
const WIRE_ALIGNMENT = 256;

/** What all legs of a pass share. */
export interface Way {
  readonly layer: Layer;
  readonly capacity: number;
  readonly chunks: readonly Chunk[];
  readonly allToAll: AllToAll;
  /** Present where only places that are taken have rows; absent where all places have. */
  readonly loads?: Loads;
}

/** One leg of one chunk. */
export interface Leg {
  /** 1 towards the experts, 2 back. */
  readonly number: 1 | 2;
  readonly chunk: number;
  readonly stage: number;
  readonly after: readonly Task[];
  readonly compressor: Compressor;
  /** Buffers of rows it takes from and brings to. */
  readonly from: string;
  readonly to: string;
}

/** Stages that a leg takes: compress, all-to-all, decompress. */
export const LEG_STAGES = 3;

/**
 * Rows by destination rank, chunk after chunk: [chunks][ranks][local experts][places]. With groups of
 * peers those of the ranks that a rank sends to: [ranks][local experts][places].
 */
export function sentRows(way: Way, buffer: string, chunk: number, rank: number): Rows {
  const { chunks, layer: { modelDim: m, localExperts, experts, topology: { ranks }, dtype } } = way;
  const { begin, end } = chunks[chunk];
  const row = m;
  const group = (end - begin) * row;
  const block = localExperts * group;
  const first = destinations(chunks[chunk], rank, ranks).begin;
  return {
    view: { buffer, offset: elementBytes(way.layer) * (experts * begin * m + first * block) },
    ...{ row, group, block, dtype },
  };
}

/**
 * Rows by expert, so that a chunk is a range of rows of each: [local experts][capacity][ranks], or with
 * groups of peers [local experts][ranks][capacity].
 */
export function expertRows(way: Way, buffer: string, chunk: number, rank: number): Rows {
  const { chunks, capacity, layer: { modelDim: m, topology: { ranks }, dtype } } = way;
  const group = capacity * ranks * m;
  const view = { buffer, offset: elementBytes(way.layer) * firstRow(way, chunk, rank) * m };
  return byPeers(chunks)
    ? { view, block: capacity * m, group, row: m, dtype }
    : { view, block: m, group, row: ranks * m, dtype };
}

/** First row of an expert that belongs to a chunk. */
export function firstRow({ chunks, capacity, layer }: Way, chunk: number, rank: number): number {
  const { ranks } = layer.topology;
  return byPeers(chunks)
    ? sources(chunks[chunk], rank, ranks).begin * capacity
    : chunks[chunk].begin * ranks;
}

/** Rows of an expert that belong to a chunk. */
export function rowsOfExpert({ chunks, layer }: Way, chunk: number, rank: number): number {
  const from = sources(chunks[chunk], rank, layer.topology.ranks);
  return (chunks[chunk].end - chunks[chunk].begin) * (from.end - from.begin);
}

/**
 * Adds the tasks of a leg; none where the rows are where they belong. Rows that lie as they travel are
 * sent from and received to where they are when the codec is `none`; then there is no task to compress or
 * decompress them.
 */
export function addPaddedLeg(g: GraphBuilder, way: Way, leg: Leg): Task[] {
  const { layer, chunks, allToAll } = way;
  const { number, chunk, stage, compressor } = leg;
  const { ranks } = layer.topology;
  const rows = chunks[chunk].end - chunks[chunk].begin;
  const block = blockOf(layer, rows);
  const blockBytes = wireBytes(compressor, block);
  const plain = compressor.native === 0;
  if (plain && leg.from === leg.to) return [...leg.after];
  checkCodec(compressor, layer);
  const [from, to] = number === 1 ? [sentRows, expertRows] : [expertRows, sentRows];
  const blocks = mostPeers(chunks[chunk], ranks);
  const bytes = blocks * (block.elementBytes * block.rows * block.columns + blockBytes);
  const common = { chunk, bytes, lane: "compute" as const };
  const coder = new Coder(g, way, leg, rows, blockBytes);

  let after = leg.after;
  let input = sliceZero(way, leg.from, chunk);
  if (!(plain && number === 1)) {
    const wire = input = wireView(g, way, compressor, `${g.pass}.A${number}.in`, chunk);
    after = [
      g.add({
        ...common,
        kind: "compress",
        label: `C${number}`,
        stage,
        after,
        kernels: eachRank((rank) => coder.encode(from(way, leg.from, chunk, rank), wire, rank)),
      }),
    ];
  }
  const output = plain && number === 2
    ? sliceZero(way, leg.to, chunk)
    : wireView(g, way, compressor, `${g.pass}.A${number}.out`, chunk);
  const arrived = g.allToAll({
    ...{
      label: `A${number}`,
      chunk,
      stage: stage + 1,
      after,
      algorithm: allToAll,
      sliceBytes: blockBytes,
    },
    ...{ input, output, scratch: `${g.pass}.A${number}.scratch.${chunk}` },
    pairs: pairsOf(way, leg),
  });
  if (plain && number === 2) return arrived;
  return [
    g.add({
      ...{ ...common, kind: "decompress", label: `D${number}`, stage: stage + 2, after: arrived },
      kernels: eachRank((rank) => coder.decode(to(way, leg.to, chunk, rank), output, rank)),
    }),
  ];
}

/** @throws {SchemoeError} when code of a user's own would get rows that are not float32. */
export function checkCodec({ name, native }: Compressor, { dtype }: Layer): void {
  if (native !== undefined || dtype === "float32") return;
  throw new SchemoeError(
    `Cannot use the compressor "${name}": code of one's own gets float32 rows, the layer has ${dtype}`,
  );
}

/** Where the rows for rank 0 begin in a buffer of sent or returned rows. */
function sliceZero(
  { layer, chunks }: Way,
  buffer: string,
  chunk: number,
): View {
  const { experts, modelDim } = layer;
  return { buffer, offset: elementBytes(layer) * experts * chunks[chunk].begin * modelDim };
}

/** With groups of peers, who sends to whom on a leg; the way back is the reverse. */
function pairsOf({ layer, chunks }: Way, { number, chunk }: Leg) {
  if (!byPeers(chunks)) return undefined;
  const { ranks } = layer.topology;
  const to = Array.from({ length: ranks }, (_, rank) => destinations(chunks[chunk], rank, ranks));
  const sends = (a: number, b: number) => to[a].begin <= b && b < to[a].end;
  return number === 1 ? sends : (a: number, b: number) => sends(b, a);
}

/** Kernels of a rank, made once. */
export function eachRank(make: (rank: number) => Kernel[]): (rank: number) => readonly Kernel[] {
  const kept = new Map<number, Kernel[]>();
  return (rank) => {
    const kernels = kept.get(rank) ?? make(rank);
    kept.set(rank, kernels);
    return kernels;
  };
}

/** What is encoded together: rows of a rank's experts. */
const blockOf = (layer: Layer, rows: number) => ({
  ...{ rows: layer.localExperts * rows, columns: layer.modelDim },
  elementBytes: elementBytes(layer),
});

/** Bytes of a block. @throws {SchemoeError} when the compressor gives no usable number. */
export function wireBytes(
  compressor: Compressor,
  block: Block,
): number {
  const whose = `the compressor "${compressor.name}"`;
  const bytes = callUser(whose, "wireBytes", () => compressor.wireBytes(block));
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new SchemoeError(
      `Cannot use the compressor "${compressor.name}": wireBytes of ${block.rows} x ${block.columns} is ` +
        `${bytes}, not a positive integer`,
    );
  }
  return bytes;
}

/** Where the wire block for rank 0 begins; groups of peers share the blocks of all ranks. */
function wireView(
  g: GraphBuilder,
  way: Way,
  compressor: Compressor,
  buffer: string,
  chunk: number,
): View {
  const { layer, chunks } = way;
  let offset = 0;
  let here = 0;
  for (const [i, { begin, end }] of rowSlices(chunks).entries()) {
    if (i === chunk) here = offset;
    const block = blockOf(layer, end - begin);
    const bytes = layer.topology.ranks * wireBytes(compressor, block);
    offset += Math.ceil(bytes / WIRE_ALIGNMENT) * WIRE_ALIGNMENT;
  }
  g.buffer(buffer, offset);
  return { buffer, offset: here };
}

/** The kernels of a codec: native ones, or rows gathered to a buffer that JavaScript reads. */
class Coder {
  #encoder?: Kernel;
  #decoder?: Kernel;

  constructor(
    readonly g: GraphBuilder,
    readonly way: Way,
    readonly leg: Leg,
    readonly rows: number,
    readonly blockBytes: number,
  ) {}

  encode(rows: Rows, wire: View, rank: number): Kernel[] {
    const { compressor } = this.leg;
    if (compressor.native !== undefined) {
      return [encodeRows(rows, this.#wire(compressor.native, wire, this.#sent(rank)))];
    }
    const stage = this.#staged();
    return [
      encodeRows(rows, this.#wire(0, stage, this.#sent(rank), this.#blockFloatBytes)),
      this.#encoder ??= this.g.host((at) =>
        this.#blocks(this.#sent(at.rank), async (block, index) => {
          const values = new Float32Array(
            at.read(this.#at(stage, index, this.#blockFloatBytes), this.#blockFloatBytes).buffer,
          );
          const encoded = await compressor.encode!(values, block);
          expectValues(compressor, ["encode", Uint8Array], encoded, this.blockBytes);
          at.write(this.#at(wire, index, this.blockBytes), encoded);
        })
      ),
    ];
  }

  decode(rows: Rows, wire: View, rank: number): Kernel[] {
    const { compressor } = this.leg;
    if (compressor.native !== undefined) {
      return [decodeRows(rows, this.#wire(compressor.native, wire, this.#received(rank)))];
    }
    const stage = this.#staged();
    return [
      this.#decoder ??= this.g.host((at) =>
        this.#blocks(this.#received(at.rank), async (block, index) => {
          const decoded = await compressor.decode!(
            at.read(this.#at(wire, index, this.blockBytes), this.blockBytes),
            block,
          );
          const floats = block.rows * block.columns;
          expectValues(compressor, ["decode", Float32Array], decoded, floats);
          const values = new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength);
          at.write(this.#at(stage, index, this.#blockFloatBytes), values);
        })
      ),
      decodeRows(rows, this.#wire(0, stage, this.#received(rank), this.#blockFloatBytes)),
    ];
  }

  get #block() {
    return { rows: this.way.layer.localExperts * this.rows, columns: this.way.layer.modelDim };
  }

  get #blockFloatBytes(): number {
    return FLOAT_BYTES * this.#block.rows * this.#block.columns;
  }

  #at(view: View, index: number, bytes: number): View {
    return { buffer: view.buffer, offset: view.offset + index * bytes };
  }

  /** Ranks that a rank's blocks go to, and come from. */
  #sent(rank: number): Peers {
    return this.#peers(this.leg.number === 1 ? destinations : sources, rank);
  }

  #received(rank: number): Peers {
    return this.#peers(this.leg.number === 1 ? sources : destinations, rank);
  }

  #peers(of: typeof sources, rank: number): Peers {
    return of(this.way.chunks[this.leg.chunk], rank, this.way.layer.topology.ranks);
  }

  async #blocks(
    { begin, end }: Peers,
    run: (block: { rows: number; columns: number }, index: number) => Promise<void>,
  ) {
    for (let index = begin; index < end; index++) await run(this.#block, index);
  }

  #staged(): View {
    const name = `${this.g.pass}.C${this.leg.number}.${this.leg.chunk}`;
    return this.g.buffer(name, this.way.layer.topology.ranks * this.#blockFloatBytes);
  }

  #wire(codec: number, zero: View, { begin, end }: Peers, blockBytes = this.blockBytes) {
    const { layer: { localExperts, modelDim } } = this.way;
    const view = this.#at(zero, begin, blockBytes);
    return {
      ...{ codec, view, blockBytes, blocks: end - begin, groups: localExperts },
      ...{ rows: this.rows, columns: modelDim },
    };
  }
}

/** @throws {SchemoeError} when a user's function returned something else than it must. */
export function expectValues(
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
