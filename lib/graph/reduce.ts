/**
 * Reductions over all ranks as tasks of the graph, adding in rank order, so that the bits do not depend
 * on the schedule.
 * @module
 */
import { aBuilder, aPlaceInGraph, aSize, aView, expect, record } from "../arguments/mod.ts";
import { completeExchange } from "../costs/mod.ts";
import { maxRanks, sumRanks } from "../kernels/mod.ts";
import type { Lane, Task, Topology, Transfer, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";

const ADD_ALL_REDUCE_OF = record("places and their size { part, sum, count }", {
  part: aView,
  sum: aView,
  count: aSize,
});

const WORD = 4;

/** Ranks up to which the transfers of unequal shares are listed to be priced. */
const LISTED = 16;

/** Position of a reduction in its graph. */
export interface Place {
  /** Begins the names of its tasks and buffers. */
  readonly name: string;
  /** Place in the chain of its chunk. */
  readonly stage: number;
  /** Index of its chunk. */
  readonly chunk: number;
  /** Tasks that it depends on. */
  readonly after: readonly Task[];
}

/** The lane of transfers that go to all ranks alike. */
export const widestLane = (topology: Topology): Lane => topology.nodes > 1 ? "inter" : "intra";

/**
 * Sum over ranks of float32 `part` [count] into `sum`: each rank receives its share of all parts, adds
 * them up in rank order and sends the result to all.
 */
export function addAllReduce(
  g: GraphBuilder,
  place: Place,
  of: { part: View; sum: View; count: number },
): Task {
  expect("addAllReduce", "g", g, aBuilder);
  expect("addAllReduce", "place", place, aPlaceInGraph);
  expect("addAllReduce", "of", of, ADD_ALL_REDUCE_OF);
  const { part, sum, count } = of;
  const { ranks } = g.topology;
  const { name, stage, chunk, after } = place;
  const lane = widestLane(g.topology);
  const share = Math.ceil(count / ranks);
  const begin = (rank: number) => Math.min(rank * share, count);
  const size = (rank: number) => begin(rank + 1) - begin(rank);
  const shares = g.buffer(`${name}.shares`, WORD * ranks * share, "pass");
  // shares that are all alike need no listing to be priced; in large worlds all are priced like the largest
  const even = share * ranks === count || ranks > LISTED;
  const traffic = (copied: number) =>
    even
      ? { pattern: completeExchange(g.topology, { copied }), sliceBytes: WORD * share }
      : undefined;
  const at = (view: View, index: number): View => ({ ...view, offset: view.offset + WORD * index });
  const scatter = g.add({
    kind: "allReduce",
    label: "AR1",
    name: `${name} AR1`,
    chunk,
    stage,
    after,
    lane,
    uses: [part, shares],
    traffic: traffic(1),
    transfers: (rank) =>
      exchange(ranks, rank, {
        send: (peer) => [at(part, begin(peer)), WORD * size(peer)],
        receive: (peer) => [at(shares, peer * share), WORD * size(rank)],
      }),
  });
  const added = g.add({
    kind: "gate",
    label: "sum",
    name: `${name} sum`,
    chunk,
    stage: stage + 1,
    after: [scatter],
    flops: count,
    bytes: WORD * ranks * share,
    uses: [shares, sum],
    kernels: (rank) =>
      size(rank)
        ? [
          sumRanks({
            ranks,
            count: size(rank),
            stride: share,
            parts: shares,
            out: at(sum, begin(rank)),
          }),
        ]
        : [],
  });
  return g.add({
    kind: "allReduce",
    label: "AR2",
    name: `${name} AR2`,
    chunk,
    stage: stage + 2,
    after: [added],
    lane,
    uses: [sum],
    traffic: traffic(0),
    transfers: (rank) =>
      exchange(ranks, rank, {
        send: () => [at(sum, begin(rank)), WORD * size(rank)],
        receive: (peer) => [at(sum, begin(peer)), WORD * size(peer)],
        own: false,
      }),
  });
}

/** Largest over ranks of one int32. */
export function addMaxReduce(
  g: GraphBuilder,
  place: Place,
  { part, max }: { part: View; max: View },
): Task {
  const { ranks } = g.topology;
  const { name, stage, chunk, after } = place;
  const parts = g.buffer(`${name}.parts`, WORD * ranks, "pass");
  const gather = g.add({
    kind: "allReduce",
    label: "AR",
    name: `${name} AR`,
    chunk,
    stage,
    after,
    lane: widestLane(g.topology),
    uses: [part, parts],
    traffic: { pattern: completeExchange(g.topology, { copied: 1 }), sliceBytes: WORD },
    transfers: (rank) =>
      exchange(ranks, rank, {
        send: () => [part, WORD],
        receive: (peer) => [{ ...parts, offset: WORD * peer }, WORD],
      }),
  });
  return g.add({
    kind: "gate",
    label: "max",
    name: `${name} max`,
    chunk,
    stage: stage + 1,
    after: [gather],
    uses: [parts, max],
    kernels: () => [maxRanks(ranks, parts, max)],
  });
}

/** What all ranks have on all ranks: `all` [ranks, count] of `part` [count], words of 4 bytes. */
export function addGather(
  g: GraphBuilder,
  place: Place,
  { part, all, count }: { part: View; all: View; count: number },
): Task {
  const { ranks } = g.topology;
  const { name, stage, chunk, after } = place;
  const bytes = WORD * count;
  return g.add({
    kind: "allReduce",
    label: "AG",
    name: `${name} AG`,
    chunk,
    stage,
    after,
    lane: widestLane(g.topology),
    uses: [part, all],
    traffic: { pattern: completeExchange(g.topology, { copied: 1 }), sliceBytes: bytes },
    transfers: (rank) =>
      exchange(ranks, rank, {
        send: () => [part, bytes],
        receive: (peer) => [{ ...all, offset: all.offset + bytes * peer }, bytes],
      }),
  });
}

/** A direct exchange with every rank; pieces of no bytes are left out. */
export function exchange(
  ranks: number,
  rank: number,
  { send, receive, own = true }: {
    send: (peer: number) => [View, number];
    receive: (peer: number) => [View, number];
    own?: boolean;
  },
): Transfer[] {
  const transfers: Transfer[] = [];
  for (let peer = 0; peer < ranks; peer++) {
    const [from, sent] = send(peer);
    const [to, received] = receive(peer);
    if (peer === rank) {
      if (own && sent) transfers.push({ kind: "copy", peer, bytes: sent, from, to });
    } else {
      if (sent) transfers.push({ kind: "send", peer, bytes: sent, from });
      if (received) transfers.push({ kind: "receive", peer, bytes: received, to });
    }
  }
  return transfers;
}
