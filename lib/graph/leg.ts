/**
 * One way of the rows of a chunk: compress, all-to-all, decompress.
 * @module
 */
import { decodeRows, encodeRows, type Rows } from "../kernels/mod.ts";
import type { Layer } from "../layer/mod.ts";
import {
  type AllToAll,
  type Chunk,
  type Compressor,
  type Kernel,
  SchemoeError,
  type Task,
  type View,
} from "../types.ts";
import type { GraphBuilder } from "./builder.ts";

const FLOAT_BYTES = 4;
/** Wire blocks of chunks begin at multiples of it. */
const WIRE_ALIGNMENT = 256;

/** What all legs of a pass share. */
export interface Way {
  readonly layer: Layer;
  readonly capacity: number;
  readonly chunks: readonly Chunk[];
  readonly allToAll: AllToAll;
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

/** Rows by destination rank, chunk after chunk: [chunks][ranks][local experts][places]. */
export function sentRows({ layer, chunks }: Way, buffer: string, chunk: number): Rows {
  const { begin, end } = chunks[chunk];
  const { modelDim: m, localExperts, experts } = layer;
  const row = m;
  const group = (end - begin) * row;
  return {
    view: { buffer, offset: FLOAT_BYTES * experts * begin * m },
    ...{ row, group, block: localExperts * group },
  };
}

/** Rows by expert: [local experts][capacity][ranks], so that a chunk is a range of rows of each. */
export function expertRows({ layer, chunks, capacity }: Way, buffer: string, chunk: number): Rows {
  const { modelDim: m, topology: { ranks } } = layer;
  return {
    view: { buffer, offset: FLOAT_BYTES * chunks[chunk].begin * ranks * m },
    ...{ block: m, group: capacity * ranks * m, row: ranks * m },
  };
}

/**
 * Adds the tasks of a leg. Rows that lie as they travel are sent from and received to where they
 * are when the codec is `none`; then there is no task to compress or decompress them.
 */
export function addLeg(g: GraphBuilder, way: Way, leg: Leg): Task[] {
  const { layer, chunks, allToAll } = way;
  const { number, chunk, stage, compressor } = leg;
  const rows = chunks[chunk].end - chunks[chunk].begin;
  const block = { rows: layer.localExperts * rows, columns: layer.modelDim };
  const blockBytes = wireBytes(compressor, block);
  const plain = compressor.native === 0;
  const from = number === 1 ? sentRows(way, leg.from, chunk) : expertRows(way, leg.from, chunk);
  const to = number === 1 ? expertRows(way, leg.to, chunk) : sentRows(way, leg.to, chunk);
  const bytes = layer.topology.ranks * (FLOAT_BYTES * block.rows * block.columns + blockBytes);
  const common = { chunk, bytes, lane: "compute" as const };
  const coder = new Coder(g, way, leg, rows, blockBytes);

  let after = leg.after;
  let input = from.view;
  if (!(plain && number === 1)) {
    input = wireView(g, way, compressor, `${g.pass}.A${number}.in`, chunk);
    const kernels = coder.encode(from, input);
    after = [
      g.add({
        ...common,
        kind: "compress",
        label: `C${number}`,
        stage,
        after,
        kernels: () => kernels,
      }),
    ];
  }
  const output = plain && number === 2
    ? to.view
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
  });
  if (plain && number === 2) return arrived;
  const kernels = coder.decode(to, output);
  return [
    g.add({
      ...{ ...common, kind: "decompress", label: `D${number}`, stage: stage + 2, after: arrived },
      kernels: () => kernels,
    }),
  ];
}

/** Bytes of a block. @throws {SchemoeError} when the compressor gives no usable number. */
export function wireBytes(
  compressor: Compressor,
  block: { rows: number; columns: number },
): number {
  const bytes = compressor.wireBytes(block);
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new SchemoeError(
      `Cannot use the compressor "${compressor.name}": wireBytes of ${block.rows} x ${block.columns} is ` +
        `${bytes}, not a positive integer`,
    );
  }
  return bytes;
}

/** Where the wire blocks of a chunk begin. */
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
  for (const [i, { begin, end }] of chunks.entries()) {
    if (i === chunk) here = offset;
    const block = { rows: layer.localExperts * (end - begin), columns: layer.modelDim };
    const bytes = layer.topology.ranks * wireBytes(compressor, block);
    offset += Math.ceil(bytes / WIRE_ALIGNMENT) * WIRE_ALIGNMENT;
  }
  g.buffer(buffer, offset);
  return { buffer, offset: here };
}

/** The kernels of a codec: native ones, or rows gathered to a buffer that JavaScript reads. */
class Coder {
  constructor(
    readonly g: GraphBuilder,
    readonly way: Way,
    readonly leg: Leg,
    readonly rows: number,
    readonly blockBytes: number,
  ) {}

  encode(rows: Rows, wire: View): Kernel[] {
    const { compressor } = this.leg;
    if (compressor.native !== undefined) {
      return [encodeRows(rows, this.#wire(compressor.native, wire))];
    }
    const stage = this.#staged();
    return [
      encodeRows(rows, this.#wire(0, stage, this.#blockFloatBytes)),
      this.g.host((at) =>
        this.#blocks(async (block, index) => {
          const values = new Float32Array(
            at.read(this.#at(stage, index, this.#blockFloatBytes), this.#blockFloatBytes).buffer,
          );
          const encoded = await compressor.encode!(values, block);
          this.#expect("encode", "bytes", encoded?.byteLength, this.blockBytes);
          at.write(this.#at(wire, index, this.blockBytes), encoded);
        })
      ),
    ];
  }

  decode(rows: Rows, wire: View): Kernel[] {
    const { compressor } = this.leg;
    if (compressor.native !== undefined) {
      return [decodeRows(rows, this.#wire(compressor.native, wire))];
    }
    const stage = this.#staged();
    return [
      this.g.host((at) =>
        this.#blocks(async (block, index) => {
          const decoded = await compressor.decode!(
            at.read(this.#at(wire, index, this.blockBytes), this.blockBytes),
            block,
          );
          this.#expect("decode", "floats", decoded?.length, block.rows * block.columns);
          const values = new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength);
          at.write(this.#at(stage, index, this.#blockFloatBytes), values);
        })
      ),
      decodeRows(rows, this.#wire(0, stage, this.#blockFloatBytes)),
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

  async #blocks(run: (block: { rows: number; columns: number }, index: number) => Promise<void>) {
    for (let index = 0; index < this.way.layer.topology.ranks; index++) {
      await run(this.#block, index);
    }
  }

  #expect(name: string, unit: string, got: number | undefined, expected: number): void {
    if (got === expected) return;
    throw new SchemoeError(
      `Compressor "${this.leg.compressor.name}": ${name} must return ${expected} ${unit}, got ${
        got ?? "nothing"
      }`,
    );
  }

  #staged(): View {
    const name = `${this.g.pass}.C${this.leg.number}.${this.leg.chunk}`;
    return this.g.buffer(name, this.way.layer.topology.ranks * this.#blockFloatBytes);
  }

  #wire(codec: number, view: View, blockBytes = this.blockBytes) {
    const { layer: { localExperts, modelDim, topology } } = this.way;
    return {
      ...{ codec, view, blockBytes, blocks: topology.ranks, groups: localExperts },
      ...{ rows: this.rows, columns: modelDim },
    };
  }
}
