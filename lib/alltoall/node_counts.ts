/** How many rows an exchange by nodes moves and adds, counted from its groups without plans. @module */
import { aFunction, aTopology, expect, record, someGroups } from "../arguments/mod.ts";
import type { Topology } from "../types.ts";
import { COMBINE_PHASES, DISPATCH_PHASES, phasesOf } from "./node_phases.ts";
import type { TokenGroup } from "./token_groups.ts";
import type { CollectiveCounts, CountedMove } from "./types.ts";

const NODE_COUNTS_OF = record("groups of tokens with their rows { groups, rows }", {
  groups: someGroups,
  rows: aFunction,
});

/** Groups, and how many rows each has. */
export interface CountedGroups {
  /** By number. */
  readonly groups: readonly TokenGroup[];
  /** Rows of a group. */
  rows(group: number): number;
}

/** Counts of both ways. */
export interface NodeCounts {
  /** Towards the experts. */
  readonly dispatch: CollectiveCounts;
  /** Back from them. */
  readonly combine: CollectiveCounts;
  /** Rows that a rank sends in a dispatch, once for each node. */
  sent(rank: number): number;
  /** Rows that a rank gets in a dispatch, once for each rank with experts for them. */
  received(rank: number): number;
}

/**
 * Counts of `nodeDispatch` and `nodeCombine`, in tables of ranks x ranks of a node and ranks x nodes. Between two ranks is
 * one message, where there is any row.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { nodeCounts } from "@schemoe/lab/alltoall";
 * const world = topology({ nodes: 2, ranksPerNode: 2 });
 * const groups = [{ source: 0, node: 1, ranks: [2, 3] }];
 * const { dispatch } = nodeCounts(world, { groups, rows: () => 10 });
 * const between = dispatch.phases.findIndex(({ name }) => name === "between");
 * console.assert(dispatch.moved(0, between)[0].rows === 10);
 * ```
 */
export function nodeCounts(topology: Topology, of: CountedGroups): NodeCounts {
  expect("nodeCounts", "topology", topology, aTopology);
  expect("nodeCounts", "of", of, NODE_COUNTS_OF);
  const { groups, rows } = of;
  const { ranks, nodes, ranksPerNode: m } = topology;
  /** Rows of a rank by node, and those that it hands to each place of its node: own ones, and ones that arrived. */
  const between = new Float64Array(ranks * nodes);
  const [own, arrived] = [new Float64Array(ranks * m), new Float64Array(ranks * m)];
  /** Rows with several ranks of the node there, by the rank that adds up their results. */
  const [addedOwn, addedArrived] = [new Float64Array(ranks), new Float64Array(ranks)];
  const received = new Float64Array(ranks);
  for (let group = 0; group < groups.length; group++) {
    const { source, node, ranks: to } = groups[group];
    const count = rows(group);
    const stays = Math.floor(source / m) === node;
    const at = node * m + source % m;
    const handed = stays ? own : arrived;
    between[source * nodes + node] += count;
    for (let i = 0; i < to.length; i++) {
      handed[at * m + to[i] % m] += count;
      received[to[i]] += count;
    }
    if (to.length > 1) (stays ? addedOwn : addedArrived)[at] += count;
  }
  const sum = (table: Float64Array, rank: number, width: number) => {
    let all = 0;
    for (let i = rank * width; i < (rank + 1) * width; i++) all += table[i];
    return all;
  };
  const all = {
    own: (rank: number) => sum(own, rank, m),
    arrived: (rank: number) => sum(arrived, rank, m),
  };
  const nodeOf = (rank: number) => Math.floor(rank / m);
  /** Rows of a rank for its own node, and those that ranks of its place in others have for it. */
  const stay = (rank: number) => between[rank * nodes + nodeOf(rank)];
  const came = (rank: number) => {
    let count = 0;
    for (let from = rank % m; from < ranks; from += m) {
      if (from !== rank) count += between[from * nodes + nodeOf(rank)];
    }
    return count;
  };
  const copies = (count: (rank: number) => number) => (rank: number): CountedMove[] =>
    count(rank) > 0 ? [{ kind: "copy", peer: rank, rows: count(rank) }] : [];
  /** Messages of a rank with others, of `count` rows on the way to the experts, and as many on the way back. */
  const messages = (
    peers: (rank: number) => Iterable<number>,
    count: (from: number, to: number) => number,
  ) => {
    const moves = (rank: number, sends: typeof count) => {
      const list: CountedMove[] = [];
      for (const peer of peers(rank)) {
        if (peer === rank) continue;
        const [sent, got] = [sends(rank, peer), sends(peer, rank)];
        if (sent > 0) list.push({ kind: "send", peer, rows: sent });
        if (got > 0) list.push({ kind: "receive", peer, rows: got });
      }
      return list;
    };
    return {
      out: (rank: number) => moves(rank, count),
      back: (rank: number) => moves(rank, (from, to) => count(to, from)),
    };
  };
  const beside = (rank: number) => every(nodeOf(rank) * m, m, 1);
  const opposite = (rank: number) => every(rank % m, nodes, m);
  const inside = messages(beside, (from, to) => own[from * m + to % m]);
  const deliver = messages(beside, (from, to) => arrived[from * m + to % m]);
  const across = messages(opposite, (from, to) => between[from * nodes + nodeOf(to)]);
  const nothing = () => [];
  const counts = (
    phases: CollectiveCounts["phases"],
    moved: Readonly<Record<string, (rank: number) => CountedMove[]>>,
    added: Readonly<Record<string, (rank: number) => number>> = {},
  ): CollectiveCounts => ({
    phases,
    moved: (rank, phase) => (moved[phases[phase].name!] ?? nothing)(rank),
    added: (rank, phase) => added[phases[phase].name!]?.(rank) ?? 0,
  });
  return {
    dispatch: counts(phasesOf(DISPATCH_PHASES, topology), {
      pack: copies(all.own),
      inside: inside.out,
      between: across.out,
      sort: copies(all.arrived),
      deliver: deliver.out,
    }),
    combine: counts(phasesOf(COMBINE_PHASES, topology), {
      collect: deliver.back,
      arrange: copies((rank) => came(rank) - addedArrived[rank]),
      between: across.back,
      inside: inside.back,
      place: copies((rank) => stay(rank) - addedOwn[rank]),
    }, {
      add: (rank) => all.arrived(rank) - came(rank),
      sum: (rank) => all.own(rank) - stay(rank),
    }),
    sent: (rank) => sum(between, rank, nodes),
    received: (rank) => received[rank],
  };
}

function* every(first: number, count: number, step: number): Iterable<number> {
  for (let i = 0; i < count; i++) yield first + i * step;
}
