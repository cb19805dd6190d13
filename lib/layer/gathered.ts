/** What all gates of a layer chose, for passes whose tokens cross once to a node. @module */
import { type Layer, tokensOf } from "../blocks/mod.ts";
import type { Engine, Workspace } from "../engine.ts";
import { gatheredBuffer } from "../graph/mod.ts";
import { type GatheredChoices, NO_PLACE, NODE_TABLES, type NodeRows } from "../memory/mod.ts";
import { uniformRouting } from "../routing/mod.ts";
import type { RouterTrace } from "../routing/types.ts";
import { type Loads, SchemoeError } from "../types.ts";

/** Whose choices they are. */
interface Gathering {
  readonly layer: Layer;
  readonly engine: Engine;
  readonly workspace: Workspace;
  /** Begins the names of the layer's buffers; default "". */
  readonly prefix?: string;
}

/** Choices that are there already are taken again where they are the same, with all that was made for them. */
export class Gathered {
  #last?: { readonly choices: Int32Array; readonly positions: Int32Array; of: GatheredChoices };
  readonly #traces = new WeakMap<RouterTrace, GatheredChoices>();
  #even?: RouterTrace;
  /** What the tables in memory belong to. */
  #written?: NodeRows;

  constructor(readonly of: Gathering) {}

  /**
   * Those of a gate that has run, or of a routing on an engine that computes no values.
   * @throws {SchemoeError} for a routing of other sizes than the layer.
   */
  take(routing?: RouterTrace): GatheredChoices {
    return this.of.engine.computes ? this.#read() : this.#traced(this.#trace(routing));
  }

  #read(): GatheredChoices {
    const { layer, workspace, prefix = "" } = this.of;
    const { tokens, topK, topology: { ranks } } = layer;
    const words = (name: "choices" | "positions") =>
      new Int32Array(
        workspace.read(prefix + gatheredBuffer(name), 0, 4 * ranks * tokens * topK).buffer,
      );
    const [choices, positions] = [words("choices"), words("positions")];
    if (this.#last && same(this.#last.choices, choices) && same(this.#last.positions, positions)) {
      return this.#last.of;
    }
    const part = (all: Int32Array, rank: number) => {
      const first = rank * tokens * topK;
      return all.subarray(first, first + tokensOf(layer, rank) * topK);
    };
    const of = {
      choices: (rank: number) => part(choices, rank),
      positions: (rank: number) => part(positions, rank),
    };
    this.#last = { choices, positions, of };
    return of;
  }

  #trace(given: RouterTrace | undefined): RouterTrace {
    const { layer } = this.of;
    const { experts, gate, topK, topology: { ranks } } = layer;
    const trace = given ?? gate.routing?.() ??
      (this.#even ??= uniformRouting({ ranks, tokens: layer.tokens, experts, topK: gate.k }));
    const odd = trace.ranks !== ranks || trace.experts !== experts || trace.topK > topK ||
      Array.from({ length: ranks }, (_, rank) => rank).some((rank) =>
        trace !== this.#even && trace.tokens(rank) !== tokensOf(layer, rank)
      );
    if (odd) {
      throw new SchemoeError(
        `Cannot use the routing "${trace.name}": it is for ${trace.ranks} ranks, ${trace.experts} experts and ` +
          `${trace.topK} choices of a token; the layer has ${ranks}, ${experts}, ${topK} and its own tokens on each rank`,
      );
    }
    return trace;
  }

  /** Choices of a routing; places go to tokens in order. */
  #traced(trace: RouterTrace): GatheredChoices {
    let found = this.#traces.get(trace);
    if (!found) this.#traces.set(trace, found = placed(this.of.layer, trace));
    return found;
  }

  /** Writes the tables of a pass, unless they are there. */
  async write(rows: NodeRows): Promise<void> {
    const { engine, workspace, prefix = "", layer: { topology: { ranks } } } = this.of;
    if (!engine.computes || this.#written === rows) return;
    this.#written = undefined;
    await workspace.ensureAsync(
      Object.fromEntries(NODE_TABLES.map((name) => [prefix + name, 8 * rows.tables[name]])),
    );
    for (const name of NODE_TABLES) {
      for (let rank = 0; rank < ranks; rank++) {
        await workspace.writeAsync(prefix + name, rank, rows.table(name, rank));
      }
    }
    this.#written = rows;
  }
}

const same = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** No choice of any token: where the names of buffers are asked for, which do not depend on choices. */
export function noChoices(layer: Layer): GatheredChoices {
  const none = (value: number) => (rank: number) =>
    new Int32Array(tokensOf(layer, rank) * layer.topK).fill(value);
  return { choices: none(-1), positions: none(NO_PLACE) };
}

/** How many tokens each rank sends to each expert, before dropping. */
export function gatheredLoads(layer: Layer, { choices, positions }: GatheredChoices): Loads {
  const { experts, topology: { ranks } } = layer;
  const table = new Int32Array(ranks * experts);
  for (let rank = 0; rank < ranks; rank++) {
    const places = positions(rank);
    choices(rank).forEach((expert, i) => {
      if (places[i] < NO_PLACE) table[rank * experts + expert]++;
    });
  }
  return { ranks, experts, table };
}

/** Choices [tokens, topK] and positions of each rank of a routing. */
function placed(layer: Layer, trace: RouterTrace): GatheredChoices {
  const { topK, topology: { ranks }, experts } = layer;
  const all = Array.from({ length: ranks }, (_, rank) => {
    const given = trace.choices(rank);
    const tokens = tokensOf(layer, rank);
    const choices = new Int32Array(tokens * topK).fill(-1);
    const positions = new Int32Array(tokens * topK).fill(NO_PLACE);
    const next = new Int32Array(experts);
    for (let token = 0; token < tokens; token++) {
      for (let i = 0; i < trace.topK; i++) {
        const expert = given[token * trace.topK + i];
        if (expert < 0) continue;
        choices[token * topK + i] = expert;
        positions[token * topK + i] = next[expert]++;
      }
    }
    return { choices, positions };
  });
  return { choices: (rank) => all[rank].choices, positions: (rank) => all[rank].positions };
}
