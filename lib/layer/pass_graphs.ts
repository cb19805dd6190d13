/** Graphs of a layer's passes, by their choices. @module */
import type { Layer } from "../blocks/mod.ts";
import { checkedSplit } from "../chunking/split.ts";
import { type PassRows, splitOf, splitRows } from "../chunking/slot_loads.ts";
import type { Engine } from "../engine.ts";
import { backwardGraph, forwardGraph, gateGraph, type PassOptions } from "../graph/mod.ts";
import { type GatheredChoices, nodeRows } from "../memory/mod.ts";
import type { Chunk, Loads, Pass } from "../types.ts";
import { reassociates, type ResolvedChoices } from "./choices.ts";
import { latestRows } from "./pass_rows.ts";
import { configurationOf, engineFacts } from "./configuration.ts";
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

/** A forward pass that may follow a gate. */
export interface Likely {
  readonly rows: PassRows;
  readonly pass: PassOptions;
  readonly known: NonNullable<ReturnType<GraphRunner["kept"]>>;
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
      // of a graph that is made: most passes find theirs
      get configuration() {
        const sizes = { layer, facts: engineFacts(engine), capacity, chunks };
        return { pass, ...configurationOf(choices, sizes) };
      },
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
    const key = forwardKey(choices, { rows, pass });
    return this.#of.runner.graph(key, () => forwardGraph({ ...pass, gate }));
  }

  /**
   * The graph of a forward pass whose gate chooses as it did last, if it is kept: found while the gate still computes, since
   * nothing else is done in that time.
   */
  likely(choices: ResolvedChoices): Likely | undefined {
    const rows = latestRows(this.#of.layer);
    if (!rows) return undefined;
    try {
      const pass = this.options(choices, rows, "forward");
      const known = this.#of.runner.kept(forwardKey(choices, { rows, pass }));
      return known && { rows, pass, known };
    } catch {
      return undefined; // rows of another pass may not be split as chosen
    }
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

function forwardKey(
  choices: ResolvedChoices,
  { rows, pass }: { readonly rows: PassRows; readonly pass: PassOptions },
) {
  const parts = ["forward", rowsKey(rows), ...keyOf(choices, pass)];
  return { parts, routed: isRouted(rows, pass) };
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
