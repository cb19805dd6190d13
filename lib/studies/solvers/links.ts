/** Times of a plan on single links, chunk by chunk: the model of the solvers that schedule collectives. @module */
import {
  aFunction,
  aLink,
  anAllToAll,
  aTopology,
  expect,
  listOf,
  options,
  positive,
  record,
} from "../../arguments/mod.ts";
import { collectivePlans } from "../../alltoall/plan.ts";
import { movesOf } from "../../alltoall/moves.ts";
import { EventHeap } from "../../engines/event_heap.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Link, Topology } from "../../types.ts";

const SECONDS_ON_LINKS_OPTIONS = options({
  graph: record("links and ways over them { links, route }", {
    links: listOf(aLink, "links"),
    route: aFunction,
  }),
  sliceBytes: positive,
});

/** Directed links, and the ones that lead from rank to rank. */
export interface LinkGraph {
  /** Each with its alpha and beta. */
  readonly links: readonly Link[];
  /** Numbers of the links on the way, in order. */
  route(from: number, to: number): readonly number[];
}

/**
 * Seconds of an all-to-all where each link serves one part of a slice after another, in the order in which they
 * come, and each part leaves as soon as it has arrived, as TE-CCL, TACCL and SCCL assume: alpha is how long a part is
 * under way and keeps no link busy. Phases do not wait for each other; what a step sends, it waits for.
 *
 * @param sliceBytes of each pair of ranks; steps without `part` move one of `parts` equal parts after another.
 */
export function secondsOnLinks(
  algorithm: AllToAll,
  topology: Topology,
  options: { readonly graph: LinkGraph; readonly sliceBytes: number },
): number {
  expect("secondsOnLinks", "algorithm", algorithm, anAllToAll);
  expect("secondsOnLinks", "topology", topology, aTopology);
  expect("secondsOnLinks", "options", options, SECONDS_ON_LINKS_OPTIONS);
  const { graph, sliceBytes } = options;
  const { ranks } = topology;
  const all = Array.from({ length: ranks }, () => ranks);
  const collective = {
    ...algorithm,
    ...{ inputs: () => ranks, outputs: () => ranks },
    terms: (rank: number, from: number) => [[from, rank]] as const,
  };
  const plans = collectivePlans(collective, topology);
  const { from, to, slots } = movesOf(algorithm, { inputs: all, outputs: all }, (r) => plans[r]);
  const bytes = sliceBytes / slots.parts;
  const readers = new Map<number, number[]>();
  const written = new Set(to);
  const begin: number[] = [];
  from.forEach((slot, move) => {
    if (!written.has(slot)) begin.push(move);
    const list = readers.get(slot);
    if (list) list.push(move);
    else readers.set(slot, [move]);
  });
  const routes = Array.from(to, (slot, move) => {
    const [source, target] = [slots.where(from[move]).rank, slots.where(slot).rank];
    return source === target ? [] : graph.route(source, target);
  });
  const free = new Float64Array(graph.links.length);
  const hop = new Int32Array(to.length);
  // moves are numbered by phase, and what comes at one time is served in that order
  const queue = new EventHeap();
  const push = (time: number, move: number) => queue.push(time, move, 0);
  for (const move of begin) push(0, move);
  let end = 0;
  while (queue.size > 0) {
    queue.pop();
    const { time, key: move } = queue;
    const link = routes[move][hop[move]++];
    if (link !== undefined) {
      const { alpha, beta } = graph.links[link];
      free[link] = Math.max(free[link], time) + beta * bytes;
      push(free[link] + alpha, move);
      continue;
    }
    end = Math.max(end, time);
    for (const next of readers.get(to[move]) ?? []) push(time, next);
  }
  return end;
}
