/**
 * Where rows lie that cross once to a node: for each chunk the tokens of a rank by the ranks of a node that they go
 * to, as they travel, and on the other side in the same order.
 * @module
 */
import { aCount, aFunction, aLayer, aSize, expect, record, something } from "../arguments/mod.ts";
import { nodeCombine, nodeDispatch } from "../alltoall/node_aware.ts";
import { type GroupOrder, groupOrder, type TokenGroup } from "../alltoall/token_groups.ts";
import { type Layer, tokensOf } from "../blocks/mod.ts";
import type { Collective } from "../alltoall/types.ts";
import { type NodeCounts, nodeCounts } from "../alltoall/node_counts.ts";
import { type RoutedGroup, tokenGroups } from "../routing/token_groups.ts";
import { type Chunk, SchemoeError } from "../types.ts";
import { byPeers } from "../chunking/peer_groups.ts";
import { rowLayout } from "./layout.ts";
import type { RowLayout, RowsOf } from "./rows.ts";

const NODE_ROWS_WAY = record("rows by nodes { layer, gathered, chunks }", {
  layer: aLayer,
  gathered: record("choices of all gates { choices, positions }", {
    choices: aFunction,
    positions: aFunction,
  }),
  chunks: something,
});

/** What all gates chose: experts with rows, and positions in them, of each rank's tokens [tokens, topK]. */
export interface GatheredChoices {
  /** Experts that a rank's tokens chose, int32 [tokens, topK]; -1: none. */
  choices(rank: number): Int32Array;
  /** Positions of these choices among those of their expert on the rank, int32 [tokens, topK]. */
  positions(rank: number): Int32Array;
}

/** Position of a choice that has no row, as kernels know it. */
export const NO_PLACE = 2 ** 31 - 2;

/** A chunk of rows that cross once. */
export interface NodeChunk {
  /** Tokens that cross together: of one rank, for the same ranks of a node. */
  readonly groups: readonly RoutedGroup[];
  /** Their exchange towards the experts. */
  readonly dispatch: Collective;
  /** Their exchange back. */
  readonly combine: Collective;
  /** What both move and add, without their plans. */
  readonly counts: NodeCounts;
  /** First row of the chunk among those that a rank sends; on all ranks alike. */
  readonly sent: number;
  /** First row of the chunk among those that a rank gets; on all ranks alike. */
  readonly received: number;
  /** Rows that a rank sends. */
  sentRows(rank: number): number;
  /** Rows that a rank gets. */
  receivedRows(rank: number): number;
  /** Rows of a slice of dispatch's input. */
  sentSlice(rank: number, index: number): number;
  /** Rows of a slice of combine's input. */
  receivedSlice(rank: number, index: number): number;
}

/** Tables that kernels find rows by, int32: a layer writes them before a pass. */
export const NODE_TABLES = ["node.copies", "node.places"] as const;

/** One of them. */
export type NodeTable = typeof NODE_TABLES[number];

/** Rows of a pass in which each token crosses once to a node. */
export interface NodeRows {
  /** Chunk by chunk: who sends which tokens to which node. */
  readonly chunks: readonly NodeChunk[];
  /** Rows to provide for what a rank sends. */
  readonly sent: number;
  /** Entries of each table; it is twice as long. */
  readonly tables: Readonly<Record<NodeTable, number>>;
  /**
   * `node.copies` [tokens, topK]: row of each copy of a token among those that the rank sends, then none.
   * `node.places` [rows of all chunks, topK]: row of each choice of a token that the rank gets among those of its
   * experts, none for the choices of others. Kernels know rows as topK runs of {@linkcode runOf} rows: all entries say
   * which run first, then all say which place in it, `NO_PLACE` for none.
   */
  table(name: NodeTable, rank: number): Int32Array<ArrayBuffer>;
}

/** A layer's rows with the choices that they are laid out for. */
export interface NodeWay extends RowsOf {
  /** What all gates chose. */
  readonly gathered: GatheredChoices;
}

/** Slots and places that the choices of each rank go to, -1: none; and the ranks that compute slots. */
class Targets {
  readonly #slots: Int32Array[] = [];
  readonly #places: Int32Array[] = [];
  readonly #members: (readonly number[])[] = [];

  constructor(readonly way: NodeWay) {}

  slots(rank: number): Int32Array {
    this.#find(rank);
    return this.#slots[rank];
  }

  places(rank: number): Int32Array {
    this.#find(rank);
    return this.#places[rank];
  }

  /** Rank that computes a slot for the tokens of a source. */
  owner(slot: number, source: number): number {
    const { groups, localSlots } = this.way.layer;
    const members = this.#members[source] ??= groups.members(source);
    return members[Math.floor(slot / localSlots)];
  }

  #find(rank: number): void {
    if (this.#slots[rank]) return;
    const { layer, gathered, loads, limit = loads ? NO_PLACE : this.way.capacity } = this.way;
    const choices = gathered.choices(rank);
    const places = gathered.positions(rank).slice();
    const slots = choices.slice();
    for (let i = 0; i < slots.length; i++) {
      if (places[i] >= limit || slots[i] < 0) slots[i] = -1;
      else if (layer.placed) {
        const to = layer.placed.targets(rank, choices[i]);
        slots[i] = to[places[i] % to.length];
        places[i] = Math.floor(places[i] / to.length);
      }
    }
    this.#slots[rank] = slots;
    this.#places[rank] = places;
  }
}

const known = new WeakMap<GatheredChoices, Map<string, NodeRows>>();

/**
 * Rows of a pass, worked out once for what the gates chose and its chunks.
 * @throws {SchemoeError} for a split that passes do not know whose tokens cross once.
 */
export function nodeRows(way: NodeWay): NodeRows {
  expect("nodeRows", "way", way, NODE_ROWS_WAY);
  let ofChoices = known.get(way.gathered);
  if (!ofChoices) known.set(way.gathered, ofChoices = new Map());
  const key = JSON.stringify(way.chunks);
  let rows = ofChoices.get(key);
  if (!rows) ofChoices.set(key, rows = makeRows(way));
  return rows;
}

/** Rows of each of the runs that so many rows are known by; there may be more places than rows. */
export function runOf(rows: number, topK: number): number {
  expect("runOf", "rows", rows, aSize);
  expect("runOf", "topK", topK, aCount);
  return Math.max(1, Math.ceil(rows / topK));
}

/** Rows as a table; entries not given are none. */
function tableOf(rows: Int32Array, run: number): Int32Array<ArrayBuffer> {
  const { length } = rows;
  const table = new Int32Array(2 * length);
  for (let i = 0; i < length; i++) {
    const row = rows[i];
    if (row === NO_PLACE) table[length + i] = NO_PLACE;
    else [table[i], table[length + i]] = [Math.floor(row / run), row % run];
  }
  return table;
}

function makeRows(way: NodeWay): NodeRows {
  const { layer, chunks } = way;
  const { tokens, topK } = layer;
  if (byPeers(chunks)) {
    throw new SchemoeError(
      "Cannot send tokens once to a node: the pass is split by groups of peers, which send to one group after " +
        "another; split it by capacity",
    );
  }
  const layout = rowLayout(way);
  const targets = new Targets(way);
  const made: NodeChunk[] = [];
  let [sent, received] = [0, 0];
  for (const chunk of chunks) {
    const part = makeChunk(layer, chunk, targets, { sent, received });
    made.push(part);
    sent += mostOf(layer, part.sentRows);
    received += mostOf(layer, part.receivedRows);
  }
  const of: Record<NodeTable, (rank: number) => Int32Array<ArrayBuffer>> = {
    "node.copies": (rank) => tableOf(copiesOf(layer, made, rank), runOf(sent, topK)),
    "node.places"(rank) {
      const rows = new Int32Array(topK * received).fill(NO_PLACE);
      made.forEach((part, i) => {
        const places = placesOf({ layer, layout, targets, rank }, part, chunks[i]);
        rows.set(places, topK * part.received);
      });
      return tableOf(rows, runOf(layout.room, topK));
    },
  };
  return {
    chunks: made,
    sent,
    tables: { "node.copies": topK * tokens, "node.places": topK * received },
    table: (name, rank) => of[name](rank),
  };
}

const mostOf = ({ topology: { ranks } }: Layer, rows: (rank: number) => number): number => {
  let most = 0;
  for (let rank = 0; rank < ranks; rank++) most = Math.max(most, rows(rank));
  return most;
};

/** Whether a place of a slot of a rank belongs to a chunk. */
function inChunk({ begin, end, experts }: Chunk, slot: number, place: number): boolean {
  return place >= begin && place < end &&
    !(experts && (slot < experts.begin || slot >= experts.end));
}

function makeChunk(
  layer: Layer,
  chunk: Chunk,
  targets: Targets,
  first: { readonly sent: number; readonly received: number },
): NodeChunk {
  const { topology, topK, slots, localSlots } = layer;
  const { ranks, ranksPerNode } = topology;
  const trace = {
    name: "of the gate",
    ...{ ranks, experts: slots, topK },
    tokens: (rank: number) => tokensOf(layer, rank),
    choices(rank: number) {
      const places = targets.places(rank);
      return targets.slots(rank).map((slot, i) =>
        inChunk(chunk, slot % localSlots, places[i]) ? slot : -1
      );
    },
  };
  const groups = tokenGroups(trace, {
    ranksPerNode,
    rankOf: (slot, source) => targets.owner(slot, source),
  });
  const rows = (group: number) => groups[group].tokens.length;
  let known: GroupOrder | undefined;
  const order = () => known ??= groupOrder(topology, groups);
  const counts = nodeCounts(topology, { groups, rows });
  return {
    groups,
    ...first,
    dispatch: nodeDispatch(topology, groups),
    combine: nodeCombine(topology, groups),
    counts,
    sentRows: counts.sent,
    receivedRows: counts.received,
    sentSlice: (rank, i) => rows(order().sent[rank][i]),
    receivedSlice: (rank, i) => rows(order().received[rank][i]),
  };
}

/** Calls `body(source, token)` for the tokens of groups in their order. */
function eachToken(
  groups: readonly RoutedGroup[],
  list: readonly number[],
  body: (group: TokenGroup, token: number) => void,
): void {
  for (const index of list) {
    const group = groups[index];
    for (const token of group.tokens) body(group, token);
  }
}

function copiesOf(
  layer: Layer,
  chunks: readonly NodeChunk[],
  rank: number,
): Int32Array<ArrayBuffer> {
  const { topK, topology } = layer;
  const { tokens } = layer;
  const table = new Int32Array(tokens * topK).fill(NO_PLACE);
  const used = new Int32Array(tokens);
  for (const { groups, sent } of chunks) {
    let row = sent;
    eachToken(groups, groupOrder(topology, groups).sent[rank], (_group, token) => {
      table[token * topK + used[token]++] = row++;
    });
  }
  return table;
}

/** Where the experts of a rank have their rows. */
interface ExpertSide {
  readonly layer: Layer;
  readonly layout: RowLayout;
  readonly targets: Targets;
  readonly rank: number;
}

function placesOf(
  { layer: { topK, topology, localSlots }, layout, targets, rank }: ExpertSide,
  { groups, receivedRows }: NodeChunk,
  chunk: Chunk,
): Int32Array<ArrayBuffer> {
  const table = new Int32Array(receivedRows(rank) * topK).fill(NO_PLACE);
  let at = 0;
  eachToken(groups, groupOrder(topology, groups).received[rank], ({ source }, token) => {
    const [slots, places] = [targets.slots(source), targets.places(source)];
    for (let i = token * topK; i < (token + 1) * topK; i++, at++) {
      const [slot, place] = [slots[i], places[i]];
      if (slot < 0 || targets.owner(slot, source) !== rank) continue;
      const own = slot % localSlots;
      if (inChunk(chunk, own, place)) {
        table[at] = layout.expertRow(rank, { source, slot: own, place });
      }
    }
  });
  return table;
}
