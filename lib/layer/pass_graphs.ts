/** Graphs of a layer's passes, by their choices. @module */
import type { Layer } from "../blocks/mod.ts";
import { checkedSplit } from "../chunking/split.ts";
import { type PassRows, splitOf, splitRows } from "../chunking/slot_loads.ts";
import type { Engine } from "../engine.ts";
import { backwardGraph, forwardGraph, gateGraph, type PassOptions } from "../graph/mod.ts";
import { type GatheredChoices, nodeRows } from "../memory/mod.ts";
import type { Chunk, Loads, Pass } from "../types.ts";
import { reassociates, type ResolvedChoices } from "./choices.ts";
import { configurationOf } from "./configuration.ts";
import type { GraphRunner } from "./graph_runner.ts";

/** What forward leaves for backward. */
export interface Kept extends PassRows {
  readonly chunks: readonly Chunk[];
  /** Present where each token crossed once to a node. */
  readonly gathered?: GatheredChoices;
}

/** Whose graphs they are. */
interface GraphsOf {
  readonly engine: Engine;
  readonly layer: Layer;
  readonly runner: GraphRunner;
}

/** Makes the graphs of a layer; the runner keeps them. */
export class PassGraphs {
  readonly #of: GraphsOf;

  constructor(of: GraphsOf) {
    this.#of = of;
  }

  /** @throws {SchemoeError} when rows cannot be split as chosen. */
  check(choices: ResolvedChoices, rows: PassRows): void {
    checkedSplit(choices.chunking, this.splitAt(rows));
  }

  /** What a chunking is given. */
  splitAt(rows: PassRows) {
    return splitOf(this.#of.layer, rows);
  }

  /** @throws {SchemoeError} when rows cannot be split as chosen. */
  options(
    choices: ResolvedChoices,
    rows: PassRows & Pick<Kept, "gathered">,
    pass: Pass,
  ): PassOptions {
    const { layer, engine } = this.#of;
    const chunks = checkedSplit(choices.chunking, this.splitAt(rows));
    const { capacity, loads, limit } = splitRows(layer, rows, chunks);
    const { gathered } = rows;
    const of = { layer, capacity, chunks, loads, limit };
    const { allToAll, compressor } = choices;
    return {
      layer,
      capacity,
      chunks,
      allToAll,
      compressor,
      ...(loads ? { loads } : {}),
      ...(limit === undefined ? {} : { limit }),
      ...(gathered ? { node: nodeRows({ ...of, gathered }) } : {}),
      configuration: { pass, ...configurationOf(choices, { layer, engine, capacity, chunks }) },
    };
  }

  /** The gate alone, where the capacity depends on its loads. */
  gate({ gather }: { readonly gather: boolean }) {
    const parts = gather ? ["gate", "gather"] : ["gate"];
    return this.#of.runner.graph(parts, () => gateGraph(this.#of.layer, {}, { gather }));
  }

  forward(
    choices: ResolvedChoices,
    { rows, pass, gate }: {
      readonly rows: PassRows;
      readonly pass: PassOptions;
      readonly gate: boolean;
    },
  ) {
    const parts = ["forward", rowsKey(rows), ...keyOf(choices, pass)];
    const key = { parts, routed: isRouted(rows, pass) };
    return this.#of.runner.graph(key, () => forwardGraph({ ...pass, gate }));
  }

  backward(
    choices: ResolvedChoices,
    { kept, pass }: { readonly kept: Kept; readonly pass: PassOptions },
  ) {
    const reassociate = reassociates(choices);
    const parts = [
      "backward",
      rowsKey(kept),
      JSON.stringify(kept.chunks),
      `${reassociate}`,
      ...keyOf(choices, pass),
    ];
    return this.#of.runner.graph(
      { parts, routed: isRouted(kept, pass) },
      () => backwardGraph({ ...pass, forwardChunks: kept.chunks, reassociate }),
    );
  }
}

/** Texts of tables, each made once. */
const tables = new WeakMap<Loads, string>();

/** Key of the layout of a pass's rows. */
export function rowsKey({ capacity, loads, limit }: PassRows): string {
  if (!loads) return `${capacity}`;
  let text = tables.get(loads);
  if (text === undefined) tables.set(loads, text = loads.table.join());
  return `loads ${text} ${limit}`;
}

/** Whether a graph is that of a routing. */
const isRouted = ({ loads }: PassRows, { node }: PassOptions): boolean =>
  loads !== undefined || node !== undefined;

const keyOf = (
  { allToAll, compressor }: ResolvedChoices,
  { chunks, node }: PassOptions,
) => [
  JSON.stringify(chunks),
  ...(node ? [node] : []),
  allToAll,
  compressor.dispatch,
  compressor.combine,
];
