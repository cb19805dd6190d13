/**
 * The ways of rows that cross once to a node: on the other side a token is copied to the ranks that have experts for
 * it, and on the way back their results are added there first.
 * @module
 */
import { elementBytes, tokensOf } from "../blocks/mod.ts";
import { combineRows, fill, type Places, placeTokens, rowDots } from "../kernels/mod.ts";
import type { Compressor } from "../compressors/types.ts";
import { type NodeRows, type NodeTable, runOf } from "../memory/mod.ts";
import type { Kernel, Life, Task, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { addCollective } from "./collective.ts";
import type { SliceValues } from "./collective_sizes.ts";
import { eachRank } from "./leg.ts";
import { choicePlaces } from "./row_scores.ts";
import { SCORE_BUFFERS, scoresByActivation } from "./score_buffers.ts";
import type { Way } from "./way.ts";
import { type RowCoding, rowCoding } from "./row_coding.ts";

const WORD = 4;

/** A pass whose tokens cross once. */
export type NodeWay = Way & { readonly node: NodeRows };

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
  /** Which rows copies of tokens, and choices of tokens that came, belong to. */
  readonly #copies: View;
  readonly #places: View;
  /** Rows as they are sent, their weights, and sums as they come back. */
  readonly #sent: View;
  readonly #weights: View;
  readonly #returned: View;
  readonly #slopes: View;
  readonly #g: GraphBuilder;
  readonly #way: NodeWay;
  readonly #coding: Readonly<Record<"A1" | "A2", RowCoding | undefined>>;
  readonly #rows: NodeRows;

  constructor(
    g: GraphBuilder,
    way: NodeWay,
    codecs: { readonly out: Compressor; readonly back: Compressor },
  ) {
    const { layer: { topK: k }, node } = way;
    this.#coding = { A1: rowCoding(way.layer, codecs.out), A2: rowCoding(way.layer, codecs.back) };
    this.#g = g;
    this.#way = way;
    this.#rows = node;
    const { pass } = g;
    const table = (name: NodeTable) => g.buffer(name, 2 * WORD * node.tables[name], "input");
    this.#copies = table("node.copies");
    this.#places = table("node.places");
    const sent = k * runOf(node.sent, k);
    this.#sent = g.buffer(`${pass}.node.sent`, this.#rowBytes * sent, "pass");
    this.#weights = g.buffer(`${pass}.node.weights`, WORD * k * sent, "pass");
    this.#returned = g.buffer(`${pass}.node.returned`, this.#rowBytes * sent, "pass");
    this.#slopes = g.buffer(
      `${pass}.node.slopes`,
      pass === "forward" ? 0 : WORD * k * sent,
      "pass",
    );
  }

  get #rowBytes(): number {
    return elementBytes(this.#way.layer) * this.#way.layer.rowDim;
  }

  /** Buffers that sending names. */
  get sendUses(): View[] {
    return [this.#copies, this.#sent, this.#weights];
  }

  /** Bytes that sending reads and writes. */
  get sendBytes(): number {
    return 2 * this.#rowBytes * this.#rows.sent;
  }

  /** Tokens and weights to the rows that cross. */
  send(rank: number, { x, weights }: { readonly x: View; readonly weights: View }): Kernel[] {
    const { rowDim, topK } = this.#way.layer;
    const table = this.#copyTable;
    if (tokensOf(this.#way.layer, rank) === 0) return [];
    return [
      placeTokens(this.#copied(rank, rowDim), { x, ...table, out: this.#sent }),
      placeTokens(this.#copied(rank, topK, true), { x: weights, ...table, out: this.#weights }),
    ];
  }

  /** Zeros for rows of experts that no token takes, where there are such. */
  clear(rows: string): Kernel[] {
    return this.#cleared(this.#rowBytes, this.#experts(rows));
  }

  /** The same for the weights of rows, where experts take them. */
  clearWeights(): Kernel[] {
    return this.#cleared(WORD, this.#column(SCORE_BUFFERS.weights));
  }

  #cleared(rowBytes: number, rows: View): Kernel[] {
    const { loads, limit, rows: { room } } = this.#way;
    if (loads && limit === undefined) return [];
    return [fill(Math.ceil(rowBytes * room / WORD), rows, 0)];
  }

  /** Rows of experts, with room for all places that kernels know, in whole words. */
  #experts(rows: string): View {
    return this.#roomFor(rows, this.#rowBytes, this.#lifeOf(rows));
  }

  /** One float32 for each of them. */
  #column(name: string): View {
    return this.#roomFor(name, WORD, "pass");
  }

  #roomFor(name: string, rowBytes: number, life: Life): View {
    const { layer: { topK }, rows: { room } } = this.#way;
    const words = Math.ceil(rowBytes * topK * runOf(room, topK) / WORD);
    return this.#g.buffer(name, WORD * words, life);
  }

  /** Life of the rows of experts: those that backward needs are kept. */
  #lifeOf(rows: string): Life {
    const kept = rows === "expert.x" ||
      (rows === "expert.y" && !scoresByActivation(this.#way.layer));
    return kept ? "saved" : "pass";
  }

  /** Rows of the copies of tokens. */
  get #copyTable(): Record<"choices" | "positions", View> {
    return this.#table(this.#copies, "node.copies", 0);
  }

  /** Rows of the choices of tokens that came in a chunk. */
  #placeTable(chunk: number): Record<"choices" | "positions", View> {
    return this.#table(this.#places, "node.places", this.#rows.chunks[chunk].received);
  }

  #table(view: View, name: NodeTable, row: number): Record<"choices" | "positions", View> {
    const first = row * this.#way.layer.topK;
    return {
      choices: this.#at(view, first, WORD),
      positions: this.#at(view, this.#rows.tables[name] + first, WORD),
    };
  }

  /**
   * Towards the experts; in the backward pass with the gradients of the weights by what experts gave (`slopes`), or with
   * weights for their rows.
   */
  out({ chunk, stage, after, rows, weighted }: NodeLeg, scores?: NodeScores): Task[] {
    const part = this.#rows.chunks[chunk];
    const { topK: k } = this.#way.layer;
    const [came, weights] = [this.#came(chunk), this.#cameWeights(chunk)];
    const arrived = addCollective(this.#g, {
      ...{ label: "A1", chunk, stage: stage + 1, after, collective: part.dispatch },
      counts: part.counts.dispatch,
      ...this.#values(part.sentSlice, this.#at(this.#sent, part.sent), came, "A1", chunk),
      beside: [
        this.#beside(
          part.sentSlice,
          this.#at(this.#weights, part.sent, WORD * k),
          weights,
          "A1",
          chunk,
        ),
      ],
    });
    const table = this.#placeTable(chunk);
    const to = this.#experts(rows);
    const given = scores === "slopes" ? this.#experts("expert.y") : undefined;
    const column = scores === "weights" ? this.#column(SCORE_BUFFERS.weights) : undefined;
    const slopes = this.#cameSlopes(chunk);
    const { rowDim, dtype } = this.#way.layer;
    return [this.#g.add({
      kind: "decompress",
      label: "D1",
      chunk,
      stage: stage + 2,
      after: arrived,
      bytes: this.#moved(chunk) * (given ? 2 : 1),
      uses: [
        ...[came, weights, this.#places, to],
        ...(given ? [given, slopes] : []),
        ...(column ? [column] : []),
      ],
      kernels: eachRank((rank) => {
        const places = this.#taken(rank, chunk, rowDim);
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
    const [weights, slopes] = [this.#cameWeights(chunk), this.#cameSlopes(chunk)];
    const { pass } = this.#g;
    const sums = this.#g.buffer(
      `${pass}.node.sums.${chunk}`,
      this.#rowBytes * this.#most(part.receivedRows),
      "pass",
    );
    const from = this.#experts(rows);
    const column = scores === "weights" ? this.#column(SCORE_BUFFERS.dWeights) : undefined;
    const added = this.#g.add({
      kind: "compress",
      label: "C2",
      chunk,
      stage,
      after,
      bytes: this.#moved(chunk),
      uses: [
        ...[from, sums, this.#places, ...(weighted ? [weights] : [])],
        ...(column ? [column, slopes] : []),
      ],
      kernels: eachRank((rank) => {
        const places = this.#taken(rank, chunk, rowDim);
        if (places.tokens === 0) return [];
        const table = this.#placeTable(chunk);
        const summed = combineRows({ ...places, dtype }, {
          ...{ rows: from, ...table, y: sums },
          ...(weighted ? { weights } : {}),
        });
        if (!column) return [summed];
        return [summed, combineRows(choicePlaces(places), { rows: column, ...table, y: slopes })];
      }),
    });
    const returned = this.#at(this.#slopes, part.sent, WORD * k);
    return addCollective(this.#g, {
      ...{ label: "A2", chunk, stage: stage + 1, after: [added], collective: part.combine },
      counts: part.counts.combine,
      ...this.#values(part.receivedSlice, sums, this.#at(this.#returned, part.sent), "A2", chunk),
      ...(scores
        ? { beside: [this.#beside(part.receivedSlice, slopes, returned, "A2", chunk)] }
        : {}),
    });
  }

  /** Buffers that gathering names. */
  get gatherUses(): View[] {
    return [this.#copies, this.#returned];
  }

  /** Adds up what came back for each token, by chunk and node. */
  gather(rank: number, { y, add }: { readonly y: View; readonly add: boolean }): Kernel[] {
    if (tokensOf(this.#way.layer, rank) === 0) return [];
    return [combineRows(this.#copied(rank, this.#way.layer.rowDim), {
      ...{ rows: this.#returned, ...this.#copyTable, y, add },
    })];
  }

  /** Buffers that gathering the gradients of the weights names, and the bytes of it. */
  get weightUses(): View[] {
    return [this.#copies, this.#slopes];
  }

  get weightBytes(): number {
    return 2 * WORD * this.#way.layer.topK * this.#rows.sent;
  }

  /** The gradients of the weights that came back, each from the rank of its expert. */
  gatherWeights(rank: number, out: View): Kernel[] {
    if (tokensOf(this.#way.layer, rank) === 0) return [];
    return [combineRows(this.#copied(rank, this.#way.layer.topK, true), {
      ...{ rows: this.#slopes, ...this.#copyTable, y: out },
    })];
  }

  /** Rows of copies as kernels see them. */
  #copied(rank: number, columns: number, float32 = false): Places {
    const { layer } = this.#way;
    const of = { tokens: tokensOf(layer, rank), columns, topK: layer.topK };
    return {
      ...of,
      ...listed(this.#rows.sent, layer.topK),
      ...(float32 ? {} : { dtype: layer.dtype }),
    };
  }

  /** Rows of experts as kernels see them, for the tokens that came. */
  #taken(rank: number, chunk: number, columns: number): Places {
    const { layer: { topK }, rows: { room } } = this.#way;
    const tokens = this.#rows.chunks[chunk].receivedRows(rank);
    return { tokens, columns, topK, ...listed(room, topK) };
  }

  #at(view: View, row: number, bytes = this.#rowBytes): View {
    return { buffer: view.buffer, offset: view.offset + row * bytes };
  }

  #most(of: (rank: number) => number): number {
    let most = 0;
    for (let rank = 0; rank < this.#g.topology.ranks; rank++) most = Math.max(most, of(rank));
    return most;
  }

  /** Bytes of rows that came and of those of experts. */
  #moved(chunk: number): number {
    const { receivedRows } = this.#rows.chunks[chunk];
    return this.#rowBytes * (this.#most(receivedRows) + this.#way.rows.rowsIn(chunk));
  }

  #buffer(name: string, chunk: number, rowBytes: number): View {
    const rows = this.#most(this.#rows.chunks[chunk].receivedRows);
    return this.#g.buffer(`${this.#g.pass}.node.${name}.${chunk}`, rowBytes * rows, "pass");
  }

  #came(chunk: number): View {
    return this.#buffer("came", chunk, this.#rowBytes);
  }

  #cameWeights(chunk: number): View {
    return this.#buffer("came.weights", chunk, WORD * this.#way.layer.topK);
  }

  #cameSlopes(chunk: number): View {
    const bytes = this.#g.pass === "forward" ? 0 : WORD * this.#way.layer.topK;
    return this.#buffer("came.slopes", chunk, bytes);
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
      rowBytes: this.#rowBytes,
      bytes: (rank, slice) => this.#rowBytes * rows(rank, slice),
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

/** So many rows as kernels know them: as the places of topK experts, one after another. */
const listed = (rows: number, topK: number): Pick<Places, "experts" | "chunks"> => ({
  experts: topK,
  chunks: [{ begin: 0, end: runOf(rows, topK) }],
});
