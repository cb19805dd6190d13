/**
 * One way of the rows of a chunk where only places that are taken have rows: wire blocks differ in size,
 * and a pair of ranks without rows exchanges nothing.
 * @module
 */
import { decodeRows, encodeRows, groupRows, type Rows, ungroupRows } from "../kernels/mod.ts";
import { elementBytes } from "../blocks/mod.ts";
import { byPeers, sources } from "../chunking/peer_groups.ts";
import type { Block, HostContext, Kernel, Task, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { checkCodec, eachRank, expectValues, type Leg, type Way, wireBytes } from "./leg.ts";
import { type RaggedRows, raggedRows } from "./ragged.ts";

/** Encoded blocks begin at multiples of it. */
const BLOCK_ALIGNMENT = 16;

/** Adds the tasks of a leg, as `addPaddedLeg` does. */
export function addRaggedLeg(g: GraphBuilder, way: Way, leg: Leg): Task[] {
  const { number, chunk, stage, compressor } = leg;
  const plain = compressor.native === 0;
  if (plain && leg.from === leg.to) return [...leg.after];
  checkCodec(compressor, way.layer);
  const ragged = new RaggedLeg(g, way, leg);
  const common = { chunk, bytes: ragged.traffic, lane: "compute" as const };
  let after = leg.after;
  if (!(plain && number === 1)) {
    after = [
      g.add({
        ...{ ...common, kind: "compress", label: `C${number}`, stage, after },
        kernels: eachRank((rank) => ragged.encode(rank)),
      }),
    ];
  }
  const arrived = g.allToAll({
    ...{ label: `A${number}`, chunk, stage: stage + 1, after, algorithm: way.allToAll },
    ...{ sliceBytes: ragged.largest, scratch: `${g.pass}.A${number}.scratch.${chunk}` },
    input: { buffer: ragged.input, offset: 0 },
    output: { buffer: ragged.output, offset: 0 },
    ragged: {
      bytes: (source, destination) => ragged.bytes(source, destination),
      input: (rank, to) => ragged.inputView(rank, to),
      output: (rank, from) => ragged.outputView(rank, from),
    },
  });
  if (plain && number === 2) return arrived;
  return [
    g.add({
      ...{ ...common, kind: "decompress", label: `D${number}`, stage: stage + 2, after: arrived },
      kernels: eachRank((rank) => ragged.decode(rank)),
    }),
  ];
}

/** Sizes and places of the blocks of a leg, and the kernels on both sides of its wire. */
class RaggedLeg {
  readonly largest: number;
  /** Bytes of memory traffic of coding on the busiest rank. */
  readonly traffic: number;
  /** Buffers that the all-to-all takes from and brings to. */
  readonly input: string;
  readonly output: string;
  readonly #g: GraphBuilder;
  readonly #way: Way;
  readonly #leg: Leg;
  readonly #rows: RaggedRows;
  readonly #ranks: number;
  readonly #rowBytes: number;
  readonly #plain: boolean;
  /** Bytes of each block, from sender to receiver. */
  readonly #bytes: Float64Array;
  /** Where the blocks of a rank begin, by peer, with the end. */
  readonly #inputAt = new Map<number, Float64Array>();
  readonly #outputAt = new Map<number, Float64Array>();
  #encoder?: Kernel;
  #decoder?: Kernel;

  constructor(g: GraphBuilder, way: Way, leg: Leg) {
    const { layer } = way;
    this.#g = g;
    this.#way = way;
    this.#leg = leg;
    this.#rows = raggedRows(way)!;
    const ranks = this.#ranks = layer.topology.ranks;
    this.#rowBytes = elementBytes(layer) * layer.modelDim;
    this.#plain = leg.compressor.native === 0;
    const sizes = new Map<number, number>([[0, 0]]);
    this.#bytes = new Float64Array(ranks * ranks);
    for (let from = 0; from < ranks; from++) {
      for (let to = 0; to < ranks; to++) {
        const rows = this.#count(from, to);
        let bytes = sizes.get(rows);
        if (bytes === undefined) {
          sizes.set(rows, bytes = wireBytes(leg.compressor, this.#block(rows)));
        }
        this.#bytes[from * ranks + to] = bytes;
      }
    }
    this.largest = this.#bytes.reduce((a, b) => Math.max(a, b), 0);
    const wire = (side: string) => `${g.pass}.A${leg.number}.${side}.${leg.chunk}`;
    this.input = this.#plain && leg.number === 1 ? leg.from : wire("in");
    this.output = this.#plain && leg.number === 2 ? leg.to : wire("out");
    const most = (ends: (rank: number) => Float64Array) => () => {
      let bytes = 0;
      for (let rank = 0; rank < ranks; rank++) bytes = Math.max(bytes, ends(rank)[ranks]);
      return bytes;
    };
    const room = {
      in: most((rank) => this.#inputs(rank)),
      out: most((rank) => this.#outputs(rank)),
    };
    if (this.input !== leg.from) g.buffer(this.input, room.in);
    if (this.output !== leg.to) g.buffer(this.output, room.out);
    this.traffic = 2 * Math.max(room.in(), room.out());
  }

  bytes(source: number, destination: number): number {
    return this.#bytes[source * this.#ranks + destination];
  }

  inputView(rank: number, to: number): View {
    return this.#plain && this.#leg.number === 1
      ? this.#ownRows(this.#leg.from, rank, to)
      : { buffer: this.input, offset: this.#inputs(rank)[to] };
  }

  outputView(rank: number, from: number): View {
    return this.#plain && this.#leg.number === 2
      ? this.#ownRows(this.#leg.to, rank, from)
      : { buffer: this.output, offset: this.#outputs(rank)[from] };
  }

  /** From rows to the blocks that a rank sends. */
  encode(rank: number): Kernel[] {
    const { number, from, compressor } = this.#leg;
    if (this.#plain) return [ungroupRows(this.#arrangement(rank, from, this.input))];
    const staged = number === 2;
    const gathered = staged ? [ungroupRows(this.#arrangement(rank, from, this.#stage()))] : [];
    const rowsFor = (at: number, to: number) =>
      staged ? this.#staged(at, to, "in") : this.#ownRows(from, at, to);
    if (compressor.native !== undefined) {
      const codec = compressor.native;
      return [
        ...gathered,
        ...this.#peersWithRows(rank, "in").map(([to, rows]) =>
          encodeRows(this.#plainRows(rowsFor(rank, to)), {
            ...{ codec, view: this.inputView(rank, to), blockBytes: this.bytes(rank, to) },
            ...this.#one(rows),
          })
        ),
      ];
    }
    this.#encoder ??= this.#g.host(async (at) => {
      for (const [to, rows] of this.#peersWithRows(at.rank, "in")) {
        const values = at.read(rowsFor(at.rank, to), rows * this.#rowBytes);
        const block = { rows, columns: this.#way.layer.modelDim };
        const encoded = await compressor.encode!(new Float32Array(values.buffer), block);
        expectValues(compressor, ["encode", Uint8Array], encoded, this.bytes(at.rank, to));
        at.write(this.inputView(at.rank, to), encoded);
      }
    });
    return [...gathered, this.#encoder];
  }

  /** From the blocks that a rank received to rows. */
  decode(rank: number): Kernel[] {
    const { number, to, compressor } = this.#leg;
    if (this.#plain) return [groupRows(this.#arrangement(rank, to, this.output))];
    const staged = number === 1;
    const spread = staged ? [groupRows(this.#arrangement(rank, to, this.#stage()))] : [];
    const rowsFrom = (at: number, from: number) =>
      staged ? this.#staged(at, from, "out") : this.#ownRows(to, at, from);
    if (compressor.native !== undefined) {
      const codec = compressor.native;
      return [
        ...this.#peersWithRows(rank, "out").map(([from, rows]) =>
          decodeRows(this.#plainRows(rowsFrom(rank, from)), {
            ...{ codec, view: this.outputView(rank, from), blockBytes: this.bytes(from, rank) },
            ...this.#one(rows),
          })
        ),
        ...spread,
      ];
    }
    this.#decoder ??= this.#g.host(async (at) => {
      for (const [from, rows] of this.#peersWithRows(at.rank, "out")) {
        await this.#decodeBlock(at, { from, rows, view: rowsFrom(at.rank, from) });
      }
    });
    return [this.#decoder, ...spread];
  }

  async #decodeBlock(
    at: HostContext,
    { from, rows, view }: { from: number; rows: number; view: View },
  ): Promise<void> {
    const { compressor } = this.#leg;
    const block = { rows, columns: this.#way.layer.modelDim };
    const wire = at.read(this.outputView(at.rank, from), this.bytes(from, at.rank));
    const decoded = await compressor.decode!(wire, block);
    expectValues(compressor, ["decode", Float32Array], decoded, rows * block.columns);
    at.write(view, new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.byteLength));
  }

  #block(rows: number): Block {
    const { layer } = this.#way;
    return { rows, columns: layer.modelDim, elementBytes: elementBytes(layer) };
  }

  /** Rows that go from one rank to another on this leg. */
  #count(from: number, to: number): number {
    const { number, chunk } = this.#leg;
    return (number === 1 ? this.#rows.slice(chunk, from, to) : this.#rows.slice(chunk, to, from))
      .rows;
  }

  /** Rows of a source for, or back from, a destination: they lie compactly. */
  #ownRows(buffer: string, source: number, destination: number): View {
    const { first } = this.#rows.slice(this.#leg.chunk, source, destination);
    return { buffer, offset: first * this.#rowBytes };
  }

  #inputs(rank: number): Float64Array {
    return this.#begins(this.#inputAt, rank, (to) => this.bytes(rank, to));
  }

  #outputs(rank: number): Float64Array {
    return this.#begins(this.#outputAt, rank, (from) => this.bytes(from, rank));
  }

  #begins(kept: Map<number, Float64Array>, rank: number, bytes: (peer: number) => number) {
    let begins = kept.get(rank);
    if (!begins) {
      kept.set(rank, begins = new Float64Array(this.#ranks + 1));
      // Rows as they are follow each other, because they are moved together.
      const unit = this.#plain ? 1 : BLOCK_ALIGNMENT;
      for (let peer = 0; peer < this.#ranks; peer++) {
        begins[peer + 1] = begins[peer] + Math.ceil(bytes(peer) / unit) * unit;
      }
    }
    return begins;
  }

  #peersWithRows(rank: number, side: "in" | "out"): [peer: number, rows: number][] {
    return Array.from(
      { length: this.#ranks },
      (_, peer): [number, number] => [
        peer,
        side === "in" ? this.#count(rank, peer) : this.#count(peer, rank),
      ],
    ).filter(([, rows]) => rows > 0);
  }

  /** Rows of all peers one after another, on their way between experts and codec. */
  #stage(): string {
    const { number, chunk } = this.#leg;
    const name = `${this.#g.pass}.C${number}.${chunk}`;
    this.#g.buffer(name, this.#rows.busiest(chunk) * this.#rowBytes);
    return name;
  }

  #staged(rank: number, peer: number, side: "in" | "out"): View {
    let rows = 0;
    for (let p = 0; p < peer; p++) {
      rows += side === "in" ? this.#count(rank, p) : this.#count(p, rank);
    }
    return { buffer: this.#stage(), offset: rows * this.#rowBytes };
  }

  #plainRows(view: View): Rows {
    const { dtype, modelDim } = this.#way.layer;
    return { view, dtype, block: 0, group: 0, row: modelDim };
  }

  #one(rows: number) {
    return { blocks: 1, groups: 1, rows, columns: this.#way.layer.modelDim };
  }

  /** Experts receive on the first leg and send on the second: their peers are the sources either way. */
  #arrangement(rank: number, rows: string, wire: string) {
    const { layer: { dtype, modelDim }, chunks } = this.#way;
    const { chunk } = this.#leg;
    return {
      ...{ dtype, columns: modelDim, loads: this.#rows.localLoads(rank) },
      ...{ bySource: byPeers(chunks), places: chunks[chunk] },
      sources: sources(chunks[chunk], rank, this.#ranks),
      wire: { buffer: wire, offset: 0 },
      rows: { buffer: rows, offset: 0 },
    };
  }
}
