/** The buffers of passes whose tokens cross once to a node, and their rows as kernels see them. @module */
import { elementBytes, tokensOf } from "../blocks/mod.ts";
import type { Places } from "../kernels/mod.ts";
import { type NodeRows, type NodeTable, runOf } from "../memory/mod.ts";
import type { Life, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { scoresByActivation } from "./score_buffers.ts";
import type { Way } from "./way.ts";

const WORD = 4;

/** A pass whose tokens cross once. */
export type NodeWay = Way & { readonly node: NodeRows };

/** The buffers of such a pass. */
export class NodeBuffers {
  /** Which rows copies of tokens, and choices of tokens that came, belong to. */
  readonly copies: View;
  readonly places: View;
  /** Rows as they are sent, their weights, and sums as they come back. */
  readonly sent: View;
  readonly weights: View;
  readonly returned: View;
  readonly slopes: View;
  readonly #g: GraphBuilder;
  readonly #way: NodeWay;
  readonly #rows: NodeRows;

  constructor(g: GraphBuilder, way: NodeWay) {
    const { layer: { topK: k }, node } = way;
    this.#g = g;
    this.#way = way;
    this.#rows = node;
    const { pass } = g;
    const table = (name: NodeTable) => g.buffer(name, 2 * WORD * node.tables[name], "input");
    this.copies = table("node.copies");
    this.places = table("node.places");
    const sent = k * runOf(node.sent, k);
    this.sent = g.buffer(`${pass}.node.sent`, this.rowBytes * sent, "pass");
    this.weights = g.buffer(`${pass}.node.weights`, WORD * k * sent, "pass");
    this.returned = g.buffer(`${pass}.node.returned`, this.rowBytes * sent, "pass");
    this.slopes = g.buffer(
      `${pass}.node.slopes`,
      pass === "forward" ? 0 : WORD * k * sent,
      "pass",
    );
  }

  /** Bytes of a row. */
  get rowBytes(): number {
    return elementBytes(this.#way.layer) * this.#way.layer.rowDim;
  }

  /** Rows of experts, with room for all places that kernels know, in whole words. */
  experts(rows: string): View {
    return this.#roomFor(rows, this.rowBytes, this.#lifeOf(rows));
  }

  /** One float32 for each of them. */
  column(name: string): View {
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
  get copyTable(): Record<"choices" | "positions", View> {
    return this.#table(this.copies, "node.copies", 0);
  }

  /** Rows of the choices of tokens that came in a chunk. */
  placeTable(chunk: number): Record<"choices" | "positions", View> {
    return this.#table(this.places, "node.places", this.#rows.chunks[chunk].received);
  }

  #table(view: View, name: NodeTable, row: number): Record<"choices" | "positions", View> {
    const first = row * this.#way.layer.topK;
    return {
      choices: this.at(view, first, WORD),
      positions: this.at(view, this.#rows.tables[name] + first, WORD),
    };
  }

  /** Rows of copies as kernels see them. */
  copied(rank: number, columns: number, float32 = false): Places {
    const { layer } = this.#way;
    const of = { tokens: tokensOf(layer, rank), columns, topK: layer.topK };
    return {
      ...of,
      ...listed(this.#rows.sent, layer.topK),
      ...(float32 ? {} : { dtype: layer.dtype }),
    };
  }

  /** Rows of experts as kernels see them, for the tokens that came. */
  taken(rank: number, chunk: number, columns: number): Places {
    const { layer: { topK }, rows: { room } } = this.#way;
    const tokens = this.#rows.chunks[chunk].receivedRows(rank);
    return { tokens, columns, topK, ...listed(room, topK) };
  }

  /** Some rows further on. */
  at(view: View, row: number, bytes = this.rowBytes): View {
    return { buffer: view.buffer, offset: view.offset + row * bytes };
  }

  /** The largest over all ranks. */
  most(of: (rank: number) => number): number {
    let most = 0;
    for (let rank = 0; rank < this.#g.topology.ranks; rank++) most = Math.max(most, of(rank));
    return most;
  }

  #buffer(name: string, chunk: number, rowBytes: number): View {
    const rows = this.most(this.#rows.chunks[chunk].receivedRows);
    return this.#g.buffer(`${this.#g.pass}.node.${name}.${chunk}`, rowBytes * rows, "pass");
  }

  /** Rows that came in a chunk. */
  came(chunk: number): View {
    return this.#buffer("came", chunk, this.rowBytes);
  }

  /** Weights of their choices. */
  cameWeights(chunk: number): View {
    return this.#buffer("came.weights", chunk, WORD * this.#way.layer.topK);
  }

  /** Gradients of these weights. */
  cameSlopes(chunk: number): View {
    const bytes = this.#g.pass === "forward" ? 0 : WORD * this.#way.layer.topK;
    return this.#buffer("came.slopes", chunk, bytes);
  }

  /** Sums of the results of the tokens that came. */
  sums(chunk: number): View {
    return this.#buffer("sums", chunk, this.rowBytes);
  }
}

/** So many rows as kernels know them: as the places of topK experts, one after another. */
const listed = (rows: number, topK: number): Pick<Places, "experts" | "chunks"> => ({
  experts: topK,
  chunks: [{ begin: 0, end: runOf(rows, topK) }],
});
