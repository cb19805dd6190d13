/** The blocks of rows of a leg: where they lie, and the kernels that bring them to the wire and back. @module */
import { groupRows, type RowNumbers, type Rows, ungroupRows } from "../kernels/mod.ts";
import { elementBytes, tokensOf } from "../blocks/mod.ts";
import { type LegRows, type Piece, rowChoicesOf } from "../memory/mod.ts";
import { tokensOfRows } from "../memory/tokens.ts";
import type { CountedRows, HostContext, Kernel, MovedRows, View } from "../types.ts";
import type { Exchange, GraphBuilder } from "./builder.ts";
import { codecState, type Coded, type CodedBlock, decodeBlocks, encodeBlocks } from "./coding.ts";
import type { Leg, Way } from "./way.ts";
import { type BlockSizes, blockSizes, isPlain } from "./wire.ts";

/** More places than an expert has for the rows of a rank. */
const PLACES = 2 ** 24;
const FLOAT_BYTES = 4;

/** The blocks of a leg on both sides of its wire. */
export class LegBlocks {
  /** Buffers that the all-to-all takes from and brings to. */
  readonly input: string;
  readonly output: string;
  readonly sentAsTheyLie: boolean;
  readonly receivedAsTheyLie: boolean;
  readonly #g: GraphBuilder;
  readonly #way: Way;
  readonly #leg: Leg;
  readonly #rows: LegRows;
  readonly #sizes: BlockSizes;
  readonly #rowBytes: number;

  constructor(g: GraphBuilder, way: Way, leg: Leg) {
    const { layer, rows } = way;
    const { number, chunk, compressor, name } = leg;
    const suffix = name === undefined ? "" : `.${name}`;
    this.#g = g;
    this.#way = way;
    this.#leg = leg;
    this.#rows = rows.leg(leg);
    this.#rowBytes = elementBytes(layer) * layer.rowDim;
    this.#sizes = blockSizes(this.#rows, { layer, compressor });
    const plain = isPlain(compressor);
    this.sentAsTheyLie = plain && number === 1;
    this.receivedAsTheyLie = plain && number === 2;
    const wire = (side: "in" | "out") =>
      g.buffer(
        `${g.pass}.A${number}${suffix}.${side}.${chunk}`,
        () => this.#sizes.room(side),
        "pass",
      )
        .buffer;
    this.input = this.sentAsTheyLie ? leg.from : wire("in");
    this.output = this.receivedAsTheyLie ? leg.to : wire("out");
    for (const side of ["in", "out"] as const) {
      for (const name of this.staging(side)) {
        g.buffer(name, () => this.#rows.most * this.#rowBytes, "pass");
      }
      for (const name of this.floats(side)) {
        g.buffer(name, () => this.#rows.most * FLOAT_BYTES * layer.rowDim, "pass");
      }
    }
  }

  /** Bytes of memory traffic of coding on the busiest rank. */
  get traffic(): number {
    return this.#sizes.traffic(this.#rows.most * this.#rowBytes);
  }

  /** Slices for the all-to-all. */
  get slices(): Pick<Exchange, "sliceBytes" | "input" | "output" | "pairs" | "ragged"> {
    const { even, equal, counted } = this.#rows;
    const { largest } = this.#sizes;
    const { groups } = this.#way.layer;
    if (even && !even.grouped) {
      const { pairs } = even;
      const [input, output] = [this.#inputView(0, 0), this.#outputView(0, 0)];
      return { sliceBytes: largest, input, output, pairs };
    }
    const at = (buffer: string) => ({ buffer, offset: 0 });
    return {
      sliceBytes: largest,
      input: at(this.input),
      output: at(this.output),
      ragged: {
        equal: equal !== undefined && largest > 0 && groups.count === 1,
        ...(largest > 0 && (even || equal !== undefined) ? { among: groups } : {}),
        bytes: (from, to) => this.#sizes.bytes(from, to),
        input: (rank, to) => this.#inputView(rank, to),
        output: (rank, from) => this.#outputView(rank, from),
        ...(counted ? { counted: (rank, of) => this.#moved(counted[rank], of) } : {}),
      },
    };
  }

  /** Counted rows of a side. */
  #moved(rows: CountedRows, of: "input" | "output"): MovedRows {
    const received = (of === "output") === (this.#leg.number === 1);
    return { rows, received, rowBytes: this.#rowBytes };
  }

  /** Names of the buffers in which rows of a side lie block after block before or after they are coded. */
  staging(side: "in" | "out"): string[] {
    const { number, chunk, compressor } = this.#leg;
    if (isPlain(compressor)) return [];
    const ofExperts = (side === "in") === (number === 2);
    const arranged = ofExperts && !this.#rows.even;
    const gathered = compressor.native === undefined && ofExperts;
    return arranged || gathered
      ? [`${this.#g.pass}.${side === "in" ? "C" : "D"}${number}.${chunk}`]
      : [];
  }

  /** Name of the buffer in which rows of a side lie as floats, where a codec of a user's own needs it. */
  floats(side: "in" | "out"): string[] {
    const { number, chunk, compressor } = this.#leg;
    if (compressor.native !== undefined || this.#way.layer.dtype === "float32") return [];
    return [`${this.#g.pass}.${side === "in" ? "C" : "D"}${number}.${chunk}.floats`];
  }

  /** From rows to the blocks that a rank sends. */
  encode(rank: number): Kernel[] {
    const { number, from } = this.#leg;
    const blocks = (pieces: readonly Piece[]) =>
      encodeBlocks(this.#coded("in", rank), pieces.map((piece) => this.#block(piece, rank, "in")));
    if (number === 1) return blocks(this.#rows.tokens(rank, from));
    const pieces = this.#rows.experts(rank, from);
    const [stage] = this.staging("in");
    if (pieces) return blocks(pieces);
    if (stage === undefined) {
      return [ungroupRows(this.#rows.arrangement(rank, { rows: from, wire: this.input }))];
    }
    return [
      ungroupRows(this.#rows.arrangement(rank, { rows: from, wire: stage })),
      ...blocks(this.#staged(rank, stage, "in")),
    ];
  }

  /** From the blocks that a rank received to rows. */
  decode(rank: number): Kernel[] {
    const { number, to } = this.#leg;
    const blocks = (pieces: readonly Piece[]) =>
      decodeBlocks(
        this.#coded("out", rank),
        pieces.map((piece) => this.#block(piece, rank, "out")),
      );
    if (number === 2) return blocks(this.#rows.tokens(rank, to));
    const pieces = this.#rows.experts(rank, to);
    const [stage] = this.staging("out");
    if (pieces) return blocks(pieces);
    if (stage === undefined) {
      return [groupRows(this.#rows.arrangement(rank, { rows: to, wire: this.output }))];
    }
    return [
      ...blocks(this.#staged(rank, stage, "out")),
      groupRows(this.#rows.arrangement(rank, { rows: to, wire: stage })),
    ];
  }

  /** Names of the buffers that tell which token a row of a side belongs to, where a codec may ask. */
  routing(side: "in" | "out"): string[] {
    const names = rowChoicesOf(this.#way);
    const ofTokens = (side === "in") === (this.#leg.number === 1);
    const { native, kernels } = this.#leg.compressor;
    return ofTokens && native === undefined && kernels === undefined
      ? [names.choices, names.positions]
      : [];
  }

  #coded(side: "in" | "out", rank: number): Coded {
    const { compressor, number, chunk } = this.#leg;
    const { layer, scope = "" } = this.#way;
    return {
      compressor,
      leg: number,
      chunk,
      pass: this.#g.pass,
      columns: layer.rowDim,
      rank,
      stage: this.staging(side)[0],
      floats: this.floats(side)[0],
      state: (key, bytes) => codecState({ layer, compressor, key: `${scope}${key}`, bytes }),
      ...(this.routing(side).length ? { tokens: (at, peer) => this.#tokens(at, peer) } : {}),
    };
  }

  /** Numbers of the tokens in the rows of a rank for, or from, a peer. */
  #tokens(at: HostContext, peer: number): Int32Array {
    const { layer, rows } = this.#way;
    const { topK } = layer;
    const tokens = tokensOf(layer, at.rank);
    const words = (buffer: string) =>
      new Int32Array(at.read({ buffer, offset: 0 }, 4 * tokens * topK).buffer);
    const names = rowChoicesOf(this.#way);
    const routed = { choices: words(names.choices), positions: words(names.positions) };
    const count = this.#rows.rows(
      ...(this.#leg.number === 1 ? [at.rank, peer] as const : [peer, at.rank] as const),
    );
    return tokensOfRows(rows.places(at.rank), routed, {
      first: this.#rows.firstRow(at.rank, peer),
      count,
    });
  }

  /** Consecutive blocks of a rank with where they lie on the wire. */
  #block(piece: Piece, rank: number, side: "in" | "out"): CodedBlock {
    const peer = piece.begin;
    const [view, bytes] = side === "in"
      ? [this.#inputView(rank, peer), this.#sizes.bytes(rank, peer)]
      : [this.#outputView(rank, peer), this.#sizes.bytes(peer, rank)];
    const random = side === "in" && this.#leg.compressor.native?.seed;
    const numbers = random ? { numbers: this.#numbers(rank, peer) } : {};
    return { piece, wire: view, blockBytes: bytes, ...numbers };
  }

  /** Numbers of rows by source, expert and place: not of chunks, nor of where they lie. */
  #numbers(rank: number, peer: number): RowNumbers {
    const { layer: { slots, localSlots }, chunks } = this.#way;
    const { number, chunk } = this.#leg;
    const first = chunks[chunk].experts?.begin ?? 0;
    const [source, destination] = number === 1 ? [rank, peer] : [peer, rank];
    return {
      first: (source * slots + destination * localSlots + first) * PLACES + chunks[chunk].begin,
      block: (number === 1 ? localSlots : slots) * PLACES,
      group: PLACES,
    };
  }

  #inputView(rank: number, to: number): View {
    return this.sentAsTheyLie
      ? this.#ownRows(this.#leg.from, rank, to)
      : { buffer: this.input, offset: this.#sizes.begin("in", rank, to) };
  }

  #outputView(rank: number, from: number): View {
    return this.receivedAsTheyLie
      ? this.#ownRows(this.#leg.to, rank, from)
      : { buffer: this.output, offset: this.#sizes.begin("out", rank, from) };
  }

  #ownRows(buffer: string, rank: number, peer: number): View {
    return { buffer, offset: this.#rows.firstRow(rank, peer) * this.#rowBytes };
  }

  /** The blocks of a rank one after another in a buffer. */
  #staged(rank: number, buffer: string, side: "in" | "out"): Piece[] {
    const { dtype, rowDim, topology: { ranks } } = this.#way.layer;
    const pieces: Piece[] = [];
    let first = 0;
    for (let peer = 0; peer < ranks; peer++) {
      const pair = side === "in" ? [rank, peer] as const : [peer, rank] as const;
      const count = this.#rows.rows(...pair);
      const view = { buffer, offset: first * this.#rowBytes };
      const rows: Rows = { view, dtype, block: 0, group: 0, row: rowDim };
      first += count;
      if (count === 0) continue;
      pieces.push({
        begin: peer,
        end: peer + 1,
        groups: 1,
        rowsOfGroup: count,
        groupRows: this.#rows.groupRows(...pair),
        contiguous: true,
        rows,
      });
    }
    return pieces;
  }
}
