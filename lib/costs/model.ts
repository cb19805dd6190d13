/**
 * The alpha-beta cost model: one function for transfers and one for computation, used by the
 * simulator and by the pacing of emulated links alike.
 * @module
 */
import {
  aNumber,
  aSize,
  aTask,
  aTopology,
  expect,
  maybe,
  numbersOf,
  options,
  record,
  someRankTraffic,
  someTransfers,
} from "../arguments/mod.ts";
import type { Costs } from "./types.ts";
import type { Link, RankTraffic, Task, Topology, TrafficPattern, Transfer } from "../types.ts";
import { ranksPerLeaf, uplinkBeta } from "./spine.ts";
import { countTransfers, trafficOf } from "./traffic.ts";

const COMPUTE_SECONDS_WORK = record("work { flops, bytes }", { flops: aNumber, bytes: aNumber });
const MODEL_COSTS_OPTIONS = options({ representatives: maybe(numbersOf(aSize)) });

/** The link between two ranks of a topology. */
export function linkBetween(topology: Topology, from: number, to: number): Link {
  expect("linkBetween", "topology", topology, aTopology);
  expect("linkBetween", "from", from, aSize);
  expect("linkBetween", "to", to, aSize);
  if (from === to) return topology.links.local;
  const node = (rank: number) => Math.floor(rank / topology.ranksPerNode);
  return node(from) === node(to) ? topology.links.intra : topology.links.inter;
}

/** Parts of the time that a phase costs a rank, in seconds. */
export interface PhaseSeconds {
  /** Sends over links that no other rank shares, and all start-up times. */
  readonly own: number;
  /** Sends through a network card that ranks share, when the rank has it to itself; 0 without one. */
  readonly shared: number;
  /** Sends across the spine, when the rank has the uplinks to itself; 0 without one. */
  readonly spine: number;
  /** All receives and copies; links work both ways at once, so that a phase takes the longer of both sides. */
  readonly receives: number;
}

/**
 * Cost of a phase for a rank that moves `traffic` in slices of `sliceBytes`: the sum of its sends
 * and that of its receives, each `alpha + beta * bytes` of its link. A copy counts on both sides and
 * has no alpha.
 */
export function phaseSeconds(
  topology: Topology,
  traffic: RankTraffic,
  sliceBytes: number,
): PhaseSeconds {
  expect("phaseSeconds", "topology", topology, aTopology);
  expect("phaseSeconds", "traffic", traffic, someRankTraffic);
  expect("phaseSeconds", "sliceBytes", sliceBytes, aNumber);
  const { links, nic } = topology;
  const { copied, intra, inter, spine = 0 } = traffic;
  const copies = links.local.beta * (copied * sliceBytes);
  const over = (link: Link, count: number, slices: number) =>
    count * link.alpha + link.beta * (slices * sliceBytes);
  const inside = copies + over(links.intra, intra.sends, intra.sent);
  const receives = copies + over(links.intra, intra.receives, intra.received) +
    over(links.inter, inter.receives, inter.received);
  const across = topology.spine ? spineBeta(topology) * (spine * sliceBytes) : 0;
  const below = inter.sent - (topology.spine ? spine : 0);
  if (!nic) {
    return {
      own: inside + over(links.inter, inter.sends, below),
      shared: 0,
      spine: across,
      receives,
    };
  }
  return {
    own: inside + inter.sends * links.inter.alpha,
    shared: cardBeta(topology) * (below * sliceBytes),
    spine: across,
    receives,
  };
}

/** Seconds a byte of a rank that has its network card to itself. */
export function cardBeta(topology: Topology): number {
  expect("cardBeta", "topology", topology, aTopology);
  const { links, nic } = topology;
  return Math.max(links.inter.beta, nic?.beta ?? 0);
}

/** Seconds a byte of a rank that has its card and the uplinks of its leaf to itself. */
export function spineBeta(topology: Topology): number {
  expect("spineBeta", "topology", topology, aTopology);
  return Math.max(cardBeta(topology), uplinkBeta(topology) / ranksPerLeaf(topology));
}

/** Seconds that a phase costs a rank alone: the larger of its sends and its receives. */
export function trafficSeconds(
  topology: Topology,
  traffic: RankTraffic,
  sliceBytes: number,
): number {
  expect("trafficSeconds", "topology", topology, aTopology);
  expect("trafficSeconds", "traffic", traffic, someRankTraffic);
  expect("trafficSeconds", "sliceBytes", sliceBytes, aNumber);
  const { own, shared, spine, receives } = phaseSeconds(topology, traffic, sliceBytes);
  return Math.max(own + shared + spine, receives);
}

/** The same for transfers that are listed one by one. */
export function transferSeconds(
  topology: Topology,
  rank: number,
  transfers: readonly Transfer[],
): number {
  expect("transferSeconds", "topology", topology, aTopology);
  expect("transferSeconds", "rank", rank, aSize);
  expect("transferSeconds", "transfers", transfers, someTransfers);
  return trafficSeconds(topology, countTransfers(topology, rank, transfers), 1);
}

/** Seconds that computation takes on a processor of its own of speed 1. */
export function computeSeconds(
  topology: Topology,
  work: { readonly flops: number; readonly bytes: number },
): number {
  expect("computeSeconds", "topology", topology, aTopology);
  expect("computeSeconds", "work", work, COMPUTE_SECONDS_WORK);
  const { alpha, flopRate, byteRate } = topology.processor;
  return alpha + work.flops / flopRate + work.bytes / byteRate;
}

/** Seconds of a task on a rank by the cost model, nothing else running. */
export function taskSeconds(topology: Topology, task: Task, rank: number): number {
  expect("taskSeconds", "topology", topology, aTopology);
  expect("taskSeconds", "task", task, aTask);
  expect("taskSeconds", "rank", rank, aSize);
  if (!task.transfers) {
    const flops = task.rankFlops?.(rank) ?? task.flops;
    return computeSeconds(topology, { flops, bytes: task.bytes }) / (topology.speed?.[rank] ?? 1);
  }
  const { pattern, sliceBytes } = trafficOf(topology, task);
  return trafficSeconds(topology, pattern.of(rank), sliceBytes);
}

/**
 * Costs of all tasks by the model of a topology, each running alone: sharing and contention left out.
 *
 * @param options.representatives the ranks of node 0, when they represent all nodes.
 */
export function modelCosts(
  topology: Topology,
  options: { readonly representatives?: readonly number[] } = {},
): Costs {
  expect("modelCosts", "topology", topology, aTopology);
  expect("modelCosts", "options", options, MODEL_COSTS_OPTIONS);
  const slowest = new WeakMap<Task, number>();
  const phases = new WeakMap<TrafficPattern, Map<number, number>>();
  const ranks = options.representatives?.length ?? topology.ranks;
  const slowestOf = (task: Task) => {
    if (!task.transfers && !topology.speed) return computeSeconds(topology, task);
    let most = 0;
    for (let rank = 0; rank < ranks; rank++) {
      most = Math.max(most, taskSeconds(topology, task, rank));
    }
    return most;
  };
  // chunks of one size move alike: one of them is looked at
  const alike = (task: Task) => {
    if (!task.traffic) return slowestOf(task);
    const { pattern, sliceBytes } = task.traffic;
    let sizes = phases.get(pattern);
    if (!sizes) phases.set(pattern, sizes = new Map());
    let seconds = sizes.get(sliceBytes);
    if (seconds === undefined) sizes.set(sliceBytes, seconds = slowestOf(task));
    return seconds;
  };
  return {
    source: "model",
    seconds(task, rank) {
      if (rank !== undefined) return taskSeconds(topology, task, rank % ranks);
      let seconds = slowest.get(task);
      if (seconds === undefined) slowest.set(task, seconds = alike(task));
      return seconds;
    },
  };
}
