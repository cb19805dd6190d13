/**
 * The alpha-beta cost model: one function for transfers and one for computation, used by the
 * simulator and by the pacing of emulated links alike.
 * @module
 */
import type { Costs, Link, Task, Topology, Transfer } from "../types.ts";

/** The link between two ranks of a topology. */
export function linkBetween(topology: Topology, from: number, to: number): Link {
  if (from === to) return topology.links.local;
  const node = (rank: number) => Math.floor(rank / topology.ranksPerNode);
  return node(from) === node(to) ? topology.links.intra : topology.links.inter;
}

/**
 * Seconds that a phase costs a rank: the larger of the sum of its sends and the sum of its receives,
 * each `alpha + beta * bytes` of the link between the two ranks. A copy counts on both sides and has
 * no alpha.
 */
export function transferSeconds(
  topology: Topology,
  rank: number,
  transfers: readonly Transfer[],
): number {
  let sends = 0;
  let receives = 0;
  for (const { kind, peer, bytes } of transfers) {
    const link = linkBetween(topology, rank, peer);
    const seconds = (kind === "copy" ? 0 : link.alpha) + link.beta * bytes;
    if (kind !== "receive") sends += seconds;
    if (kind !== "send") receives += seconds;
  }
  return Math.max(sends, receives);
}

/** Seconds that computation takes on a processor of its own. */
export function computeSeconds(
  topology: Topology,
  work: { readonly flops: number; readonly bytes: number },
): number {
  const { alpha, flopRate, byteRate } = topology.processor;
  return alpha + work.flops / flopRate + work.bytes / byteRate;
}

/** Seconds of a task on a rank by the cost model. */
export function taskSeconds(topology: Topology, task: Task, rank: number): number {
  return task.transfers
    ? transferSeconds(topology, rank, task.transfers(rank))
    : computeSeconds(topology, task);
}

/** Costs of all tasks by the model of a topology. */
export function modelCosts(topology: Topology): Costs {
  const slowest = new WeakMap<Task, number>();
  return {
    source: "model",
    seconds(task, rank) {
      if (rank !== undefined) return taskSeconds(topology, task, rank);
      let seconds = slowest.get(task);
      if (seconds === undefined) {
        seconds = task.transfers
          ? Array.from({ length: topology.ranks }, (_, r) => taskSeconds(topology, task, r))
            .reduce((a, b) => Math.max(a, b), 0)
          : computeSeconds(topology, task);
        slowest.set(task, seconds);
      }
      return seconds;
    },
  };
}
