/**
 * Reductions over all ranks as tasks of the graph, adding in an order of the ranks, so that the bits do not depend
 * on the schedule.
 * @module
 */
import { aBuilder, aPlaceInGraph, aSize, aView, expect, record } from "../arguments/mod.ts";
import { maxRanks, sumRanks } from "../kernels/mod.ts";
import type { Task, Transfer, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { digitOf, levelName, levelsOf, levelTraffic, membersOf, sharesOf } from "./levels.ts";

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

/**
 * Sum over ranks of float32 `part` [count] into `sum`: each rank receives its share of all parts, adds
 * them up in rank order and sends the result to all. In a large world, and of many bytes, it does so level by level (`levelsOf`): the sum is
 * then one over ranks of a node, in their order, then over nodes.
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
  const { name, chunk } = place;
  const levels = levelsOf(g.topology, WORD * count);
  const shares = sharesOf(levels, count);
  const suffix = (depth: number) => levelName(levels, depth);
  /** The first of the three tasks of a level, then those of the next ones, all before the stage that comes next. */
  const stage = (number: number) => place.stage + number / levels.length;
  const traffic = (depth: number, copied: 0 | 1) => {
    // shares that are all alike need no listing to be priced; in large worlds all are priced like the largest
    const listed = levels.length === 1 && g.topology.ranks <= LISTED &&
      shares.nominal[0] * g.topology.ranks !== count;
    if (listed) return;
    const pattern = levelTraffic(g.topology, levels[depth], copied);
    return { pattern, sliceBytes: WORD * shares.nominal[depth] };
  };
  let last: Task | undefined;
  const after = () => last ? [last] : place.after;
  for (const [depth, level] of levels.entries()) {
    const stride = shares.nominal[depth];
    const from = depth === 0 ? part : sum;
    const room = levels.length > 1 ? `${name}.shares.${depth}` : `${name}.shares`;
    const arrived = g.buffer(room, WORD * level.size * stride, "pass");
    const own = (rank: number) => shares.of(rank, depth + 1);
    last = g.add({
      kind: "allReduce",
      label: "AR1",
      name: `${name} AR1${suffix(depth)}`,
      chunk,
      stage: stage(2 * depth),
      after: after(),
      lane: level.lane,
      uses: [from, arrived],
      traffic: traffic(depth, 1),
      transfers: (rank) =>
        exchange(membersOf(level, rank), rank, {
          send: (peer) => {
            const { begin, size } = shares.of(peer, depth + 1);
            return [at(from, begin), WORD * size];
          },
          receive: (peer) => [
            at(arrived, digitOf(level, peer) * stride),
            WORD * own(rank).size,
          ],
        }),
    });
    last = g.add({
      kind: "gate",
      label: "sum",
      name: `${name} sum${suffix(depth)}`,
      chunk,
      stage: stage(2 * depth + 1),
      after: [last],
      flops: depth === 0 ? count : shares.nominal[depth - 1],
      bytes: WORD * level.size * stride,
      uses: [arrived, sum],
      kernels: (rank) => {
        const { begin, size } = own(rank);
        const ranks = level.size;
        if (size === 0) return [];
        return [sumRanks({ ranks, count: size, stride, parts: arrived, out: at(sum, begin) })];
      },
    });
  }
  for (const [passed, level] of levels.toReversed().entries()) {
    const depth = levels.length - 1 - passed;
    const share = (rank: number): [View, number] => {
      const { begin, size } = shares.of(rank, depth + 1);
      return [at(sum, begin), WORD * size];
    };
    last = g.add({
      kind: "allReduce",
      label: "AR2",
      name: `${name} AR2${suffix(depth)}`,
      chunk,
      stage: stage(2 * levels.length + passed),
      after: after(),
      lane: level.lane,
      uses: [sum],
      traffic: traffic(depth, 0),
      transfers: (rank) =>
        exchange(membersOf(level, rank), rank, {
          send: () => share(rank),
          receive: share,
          own: false,
        }),
    });
  }
  return last!;
}

const at = (view: View, index: number): View => ({ ...view, offset: view.offset + WORD * index });

/** Largest over ranks of one int32. */
export function addMaxReduce(
  g: GraphBuilder,
  place: Place,
  { part, max }: { part: View; max: View },
): Task {
  const { ranks } = g.topology;
  const { name, stage, chunk } = place;
  const parts = g.buffer(`${name}.parts`, WORD * ranks, "pass");
  const gather = addGather(g, place, { part, all: parts, count: 1 }, "AR");
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

/** What all ranks have on all ranks: `all` [ranks, count] of `part` [count], words of 4 bytes; level by level. */
export function addGather(
  g: GraphBuilder,
  place: Place,
  { part, all, count }: { part: View; all: View; count: number },
  label = "AG",
): Task {
  const { name, stage, chunk } = place;
  const levels = levelsOf(g.topology);
  let last: Task | undefined;
  for (const [depth, level] of levels.entries()) {
    // the ranks of the levels before have numbers one after another
    const { stride } = level;
    const bytes = WORD * count * stride;
    const block = (rank: number): [View, number] => {
      const first = Math.floor(rank / stride) * stride;
      return [at(all, count * first), bytes];
    };
    last = g.add({
      kind: "allReduce",
      label,
      name: `${name} ${label}${levelName(levels, depth)}`,
      chunk,
      stage: stage + depth / levels.length,
      after: last ? [last] : place.after,
      lane: level.lane,
      uses: depth === 0 ? [part, all] : [all],
      traffic: {
        pattern: levelTraffic(g.topology, level, depth === 0 ? 1 : 0),
        sliceBytes: bytes,
      },
      transfers: (rank) =>
        exchange(membersOf(level, rank), rank, {
          send: (peer) => depth === 0 || peer === rank ? [part, bytes] : block(rank),
          receive: block,
          own: depth === 0,
        }),
    });
  }
  return last!;
}

/** A direct exchange among ranks; pieces of no bytes are left out. */
export function exchange(
  members: readonly number[],
  rank: number,
  { send, receive, own = true }: {
    send: (peer: number) => [View, number];
    receive: (peer: number) => [View, number];
    own?: boolean;
  },
): Transfer[] {
  const transfers: Transfer[] = [];
  for (const peer of members) {
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
