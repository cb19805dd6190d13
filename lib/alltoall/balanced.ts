import type { AllToAll, Planning, TrafficMatrix } from "./types.ts";
import type { Topology } from "../types.ts";
import { planned } from "./planned/planned.ts";
import { type Flows, flowsOf } from "./planned/flows.ts";
import { PARTS, routesByPart } from "./planned/routes.ts";

/** Part of the circle from one slice to the next: no few slices come to lie together (golden ratio). */
const TURN = (Math.sqrt(5) - 1) / 2;

/**
 * Two-level balancing (the bound of SABRE, ICS'26: each node spreads what it sends and receives evenly over its
 * cards). A rank with more for other nodes than the mean of its node sends the mean itself and leaves the rest,
 * the same part of every slice, to ranks with less, in proportion to what these lack; receiving likewise. What
 * is not above the mean goes directly. Plans by the sums of each rank alone.
 */
export const balanced: AllToAll = planned({ name: "balanced", parts: PARTS, make: planBalanced });

function planBalanced(topology: Topology, traffic: TrafficMatrix): Planning {
  const flows: Flows = flowsOf(topology, traffic);
  const { ranks, ranksPerNode } = topology;
  const shares = (sums: Float64Array) =>
    Array.from({ length: ranks }, (_, rank) => sharesOf(sums, rank, ranksPerNode));
  const [out, into] = [shares(flows.out), shares(flows.in)];
  return {
    stages: 1,
    routes: (from, to) =>
      routesByPart(topology, [from, to], (source, destination, part) => {
        const turn = ((source * ranks + destination) * TURN) % 1;
        const at = (shift: number) => ((part + 0.5) / PARTS + shift) % 1;
        return {
          out: pick(out[source], at(turn)),
          in: pick(into[destination], at((turn * ranksPerNode) % 1)),
          stage: 0,
        };
      }),
  };
}

/** Shares of a rank's traffic: ends of intervals of [0, 1) and the rank that moves each. */
interface Share {
  readonly ends: readonly number[];
  readonly ranks: readonly number[];
}

function sharesOf(sums: Float64Array, rank: number, ranksPerNode: number): Share {
  const first = Math.floor(rank / ranksPerNode) * ranksPerNode;
  const own = sums.subarray(first, first + ranksPerNode);
  const mean = own.reduce((a, b) => a + b, 0) / ranksPerNode;
  if (sums[rank] <= mean) return { ends: [1], ranks: [rank] };
  const lacking = own.map((sum) => Math.max(0, mean - sum));
  const all = lacking.reduce((a, b) => a + b, 0);
  let end = mean / sums[rank];
  const left = 1 - end;
  const ends = [end];
  const ranks = [rank];
  lacking.forEach((lack, i) => {
    if (lack === 0) return;
    ends.push(end += left * lack / all);
    ranks.push(first + i);
  });
  return { ends, ranks };
}

function pick({ ends, ranks }: Share, at: number): number {
  let i = 0;
  while (i < ends.length - 1 && at >= ends[i]) i++;
  return ranks[i];
}
