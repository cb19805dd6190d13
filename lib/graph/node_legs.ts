/**
 * The ways of rows that cross once to a node: on the other side a token is copied to the ranks that have experts for
 * it, and on the way back their results are added there first.
 * @module
 */
import { tokensOf } from "../blocks/mod.ts";
import { combineRows, fill, placeTokens, rowDots } from "../kernels/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import type { NodeRows } from "../memory/mod.ts";
import type { Kernel, Task, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { addCollective } from "./collective.ts";
import type { SliceValues } from "./collective_sizes.ts";
import { eachRank } from "./leg.ts";
import { NodeBuffers, type NodeWay } from "./node_buffers.ts";
import { type RowCoding, rowCoding } from "./row_coding.ts";
import { choicePlaces } from "./row_scores.ts";
import { SCORE_BUFFERS } from "./score_buffers.ts";

const WORD = 4;

/** One way of one chunk. */
export interface NodeLeg {
  readonly chunk: number;
  readonly stage: number;
  readonly after: readonly Task[];
  /** Rows of the experts that it brings to or takes from. */
  readonly rows: string;
  /** Whether rows are multiplied by the weights of their choices. */
  readonly weighted: boolean;
}

/** What backward finds of the weights at the experts: their gradients by outputs, or the weights of rows. */
type NodeScores = "slopes" | "weights";

/** The buffers of a pass whose tokens cross once, and its tasks. */
export class NodeLegs {
  readonly #buffers: NodeBuffers;
  readonly #g: GraphBuilder;
  readonly #way: NodeWay;
  readonly #coding: Readonly<Record<"A1" | "A2", RowCoding | undefined>>;
  readonly #rows: NodeRows;

  constructor(
    g: GraphBuilder,
    way: NodeWay,
    codecs: { readonly out: Compressor; readonly back: Compressor },
  ) {
    const { node } = way;
    this.#coding = { A1: rowCoding(way.layer, codecs.out), A2: rowCoding(way.layer, codecs.back) };
    this.#g = g;
    this.#way = way;
    this.#rows = node;
    this.#buffers = new NodeBuffers(g, way);
  }

  /** Buffers that sending names. */
  get sendUses(): View[] {
    return [this.#buffers.copies, this.#buffers.sent, this.#buffers.weights];
  }

  /** Bytes that sending reads and writes. */
  get sendBytes(): number {
    return 2 * this.#buffers.rowBytes * this.#rows.sent;
  }

  /** Tokens and weights to the rows that cross. */
  send(rank: number, { x, weights }: { readonly x: View; readonly weights: View }): Kernel[] {
    const { rowDim, topK } = this.#way.layer;
    const table = this.#buffers.copyTable;
    if (tokensOf(this.#way.layer, rank) === 0) return [];
    return [
      placeTokens(this.#buffers.copied(rank, rowDim), { x, ...table, out: this.#buffers.sent }),
      placeTokens(this.#buffers.copied(rank, topK, true), {
        x: weights,
        ...table,
        out: this.#buffers.weights,
      }),
    ];
  }

  /** Zeros for rows of experts that no token takes, where there are such. */
  clear(rows: string): Kernel[] {
    return this.#cleared(this.#buffers.rowBytes, this.#buffers.experts(rows));
  }

  /** The same for the weights of rows, where experts take them. */
  clearWeights(): Kernel[] {
    return this.#cleared(WORD, this.#buffers.column(SCORE_BUFFERS.weights));
  }

  #cleared(rowBytes: number, rows: View): Kernel[] {
    const { loads, limit, rows: { room } } = this.#way;
    if (loads && limit === undefined) return [];
    return [fill(Math.ceil(rowBytes * room / WORD), rows, 0)];
  }

  /**
   * Towards the experts; in the backward pass with the gradients of the weights by what experts gave (`slopes`), or with
   * weights for their rows.
   */
  out({ chunk, stage, after, rows, weighted }: NodeLeg, scores?: NodeScores): Task[] {
    const part = this.#rows.chunks[chunk];
    const { topK: k } = this.#way.layer;
    const [came, weights] = [this.#buffers.came(chunk), this.#buffers.cameWeights(chunk)];
    const arrived = addCollective(this.#g, {
      ...{ label: "A1", chunk, stage: stage + 1, after, collective: part.dispatch },
      counts: part.counts.dispatch,
      ...this.#values(
        part.sentSlice,
        this.#buffers.at(this.#buffers.sent, part.sent),
        came,
        "A1",
        chunk,
      ),
      beside: [
        this.#beside(
          part.sentSlice,
          this.#buffers.at(this.#buffers.weights, part.sent, WORD * k),
          weights,
          "A1",
          chunk,
        ),
      ],
    });
    const table = this.#buffers.placeTable(chunk);
    const to = this.#buffers.experts(rows);
    const given = scores === "slopes" ? this.#buffers.experts("expert.y") : undefined;
    const column = scores === "weights" ? this.#buffers.column(SCORE_BUFFERS.weights) : undefined;
    const slopes = this.#buffers.cameSlopes(chunk);
    const { rowDim, dtype } = this.#way.layer;
    return [this.#g.add({
      kind: "decompress",
      label: "D1",
      chunk,
      stage: stage + 2,
      after: arrived,
      bytes: this.#moved(chunk) * (given ? 2 : 1),
      uses: [
        ...[came, weights, this.#buffers.places, to],
        ...(given ? [given, slopes] : []),
        ...(column ? [column] : []),
      ],
      kernels: eachRank((rank) => {
        const places = this.#buffers.taken(rank, chunk, rowDim);
        if (places.tokens === 0) return [];
        const scale = weighted ? { weights } : {};
        const placed = placeTokens({ ...places, dtype }, { x: came, ...table, ...scale, out: to });
        if (given) {
          const dots = rowDots({ ...places, dtype }, {
            a: came,
            rows: given,
            ...table,
            out: slopes,
          });
          return [placed, dots];
        }
        if (!column) return [placed];
        return [placed, placeTokens(choicePlaces(places), { x: weights, ...table, out: column })];
      }),
    })];
  }

  /** Back from the experts: sums of a token's results on a rank, added in the node, cross once. */
  back({ chunk, stage, after, rows, weighted }: NodeLeg, scores?: NodeScores): Task[] {
    const part = this.#rows.chunks[chunk];
    const { topK: k, rowDim, dtype } = this.#way.layer;
    const [weights, slopes] = [this.#buffers.cameWeights(chunk), this.#buffers.cameSlopes(chunk)];
    const sums = this.#buffers.sums(chunk);
    const from = this.#buffers.experts(rows);
    const column = scores === "weights" ? this.#buffers.column(SCORE_BUFFERS.dWeights) : undefined;
    const added = this.#g.add({
      kind: "compress",
      label: "C2",
      chunk,
      stage,
      after,
      bytes: this.#moved(chunk),
      uses: [
        ...[from, sums, this.#buffers.places, ...(weighted ? [weights] : [])],
        ...(column ? [column, slopes] : []),
      ],
      kernels: eachRank((rank) => {
        const places = this.#buffers.taken(rank, chunk, rowDim);
        if (places.tokens === 0) return [];
        const table = this.#buffers.placeTable(chunk);
        const summed = combineRows({ ...places, dtype }, {
          ...{ rows: from, ...table, y: sums },
          ...(weighted ? { weights } : {}),
        });
        if (!column) return [summed];
        return [summed, combineRows(choicePlaces(places), { rows: column, ...table, y: slopes })];
      }),
    });
    const returned = this.#buffers.at(this.#buffers.slopes, part.sent, WORD * k);
    return addCollective(this.#g, {
      ...{ label: "A2", chunk, stage: stage + 1, after: [added], collective: part.combine },
      counts: part.counts.combine,
      ...this.#values(
        part.receivedSlice,
        sums,
        this.#buffers.at(this.#buffers.returned, part.sent),
        "A2",
        chunk,
      ),
      ...(scores
        ? { beside: [this.#beside(part.receivedSlice, slopes, returned, "A2", chunk)] }
        : {}),
    });
  }

  /** Buffers that gathering names. */
  get gatherUses(): View[] {
    return [this.#buffers.copies, this.#buffers.returned];
  }

  /** Adds up what came back for each token, by chunk and node. */
  gather(rank: number, { y, add }: { readonly y: View; readonly add: boolean }): Kernel[] {
    if (tokensOf(this.#way.layer, rank) === 0) return [];
    return [combineRows(this.#buffers.copied(rank, this.#way.layer.rowDim), {
      ...{ rows: this.#buffers.returned, ...this.#buffers.copyTable, y, add },
    })];
  }

  /** Buffers that gathering the gradients of the weights names, and the bytes of it. */
  get weightUses(): View[] {
    return [this.#buffers.copies, this.#buffers.slopes];
  }

  get weightBytes(): number {
    return 2 * WORD * this.#way.layer.topK * this.#rows.sent;
  }

  /** The gradients of the weights that came back, each from the rank of its expert. */
  gatherWeights(rank: number, out: View): Kernel[] {
    if (tokensOf(this.#way.layer, rank) === 0) return [];
    return [combineRows(this.#buffers.copied(rank, this.#way.layer.topK, true), {
      ...{ rows: this.#buffers.slopes, ...this.#buffers.copyTable, y: out },
    })];
  }

  /** Bytes of rows that came and of those of experts. */
  #moved(chunk: number): number {
    const { receivedRows } = this.#rows.chunks[chunk];
    return this.#buffers.rowBytes *
      (this.#buffers.most(receivedRows) + this.#way.rows.rowsIn(chunk));
  }

  #values(
    rows: (rank: number, slice: number) => number,
    input: View,
    output: View,
    label: "A1" | "A2",
    chunk: number,
  ): SliceValues {
    const coding = this.#coding[label];
    return {
      ...(coding ? { coding } : {}),
      rowBytes: this.#buffers.rowBytes,
      bytes: (rank, slice) => this.#buffers.rowBytes * rows(rank, slice),
      dtype: this.#way.layer.dtype,
      ...{ input, output, scratch: `${this.#g.pass}.${label}.scratch.${chunk}` },
    };
  }

  /** Values for each choice beside the rows. */
  #beside(
    rows: (rank: number, slice: number) => number,
    input: View,
    output: View,
    label: string,
    chunk: number,
  ): SliceValues {
    const bytes = WORD * this.#way.layer.topK;
    return {
      rowBytes: bytes,
      bytes: (rank, slice) => bytes * rows(rank, slice),
      ...{ input, output, scratch: `${this.#g.pass}.${label}.weights.scratch.${chunk}` },
    };
  }
}
