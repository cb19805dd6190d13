/** Traffic of the phases of all-to-alls, of several that go together too. @module */
import type { KnownPlans } from "../alltoall/known.ts";
import { PROVEN_RANKS } from "../alltoall/known.ts";
import type { AllToAll, TrafficMatrix } from "../alltoall/types.ts";
import type { LinkTraffic, RankTraffic, Topology, Traffic, TrafficPattern } from "../types.ts";
import { largeTraffic } from "./large_traffic.ts";
import { planTraffic } from "./plan_traffic.ts";
import { partialTraffic, type Slices } from "./transfers.ts";

/** Whose plans they are, and where. */
export interface PlannedExchange {
  readonly algorithm: AllToAll;
  readonly topology: Topology;
  readonly plans: KnownPlans;
  /** Bytes from rank to rank that the plans were made for, where they were made for any. */
  readonly matrix?: TrafficMatrix;
}

/** Traffic of each phase of an exchange of some slices. */
export function exchangeTraffic(slices: Slices, of: PlannedExchange): (phase: number) => Traffic {
  const { algorithm, topology, plans } = of;
  const { pairs, ragged, sliceBytes } = slices;
  // plans by traffic differ from exchange to exchange, and parts of slices are rounded
  const differ = pairs || (ragged && !ragged.equal);
  const counted = differ || algorithm.byTraffic || algorithm.parts;
  if (!counted) {
    const apart = ragged !== undefined;
    const patterns = planTraffic(algorithm, topology, { plan: plans.phases, apart });
    return (phase) => ({ pattern: patterns[phase], sliceBytes });
  }
  const { routed, ways } = algorithm;
  const large = topology.ranks > PROVEN_RANKS && (ragged || routed || (pairs && ways));
  if (!large) return (phase) => partialTraffic(plans, slices, { phase, topology });
  const priced = largeTraffic({ ...slices, ...of });
  return (phase) => priced[phase];
}

/** Traffic of slices that go together, each as messages of its own. */
export function together(list: readonly Traffic[]): Traffic {
  const [first, ...others] = list;
  return others.reduce(both, first);
}

function both(a: Traffic, b: Traffic): Traffic {
  if (a.pattern === b.pattern) {
    return { pattern: twice(a.pattern), sliceBytes: a.sliceBytes + b.sliceBytes };
  }
  const known = new Map<number, RankTraffic>();
  const of = (rank: number) => {
    let sum = known.get(rank);
    if (!sum) {
      const [x, y] = [inBytes(a, rank), inBytes(b, rank)];
      const spine = x.spine === undefined ? {} : { spine: x.spine + (y.spine ?? 0) };
      sum = {
        copied: x.copied + y.copied,
        intra: added(x.intra, y.intra),
        inter: added(x.inter, y.inter),
        ...spine,
      };
      known.set(rank, sum);
    }
    return sum;
  };
  // slices of the other exchange go between no other ranks
  return { sliceBytes: 1, pattern: { of, peers: (rank) => a.pattern.peers(rank) } };
}

const doubled = new WeakMap<TrafficPattern, TrafficPattern>();

/** A pattern with two messages for each one; chunks of one size share it. */
function twice(pattern: TrafficPattern): TrafficPattern {
  let found = doubled.get(pattern);
  if (found) return found;
  const rows = new WeakMap<RankTraffic, RankTraffic>();
  const link = (of: LinkTraffic) => ({ ...of, sends: 2 * of.sends, receives: 2 * of.receives });
  found = {
    of(rank) {
      const row = pattern.of(rank);
      let twice = rows.get(row);
      if (!twice) {
        rows.set(row, twice = { ...row, intra: link(row.intra), inter: link(row.inter) });
      }
      return twice;
    },
    peers: (rank) => pattern.peers(rank),
  };
  doubled.set(pattern, found);
  return found;
}

function inBytes({ pattern, sliceBytes }: Traffic, rank: number): RankTraffic {
  const { copied, intra, inter, spine } = pattern.of(rank);
  const link = ({ sent, received, ...of }: LinkTraffic) => ({
    ...of,
    sent: sent * sliceBytes,
    received: received * sliceBytes,
  });
  return {
    copied: copied * sliceBytes,
    intra: link(intra),
    inter: link(inter),
    ...(spine === undefined ? {} : { spine: spine * sliceBytes }),
  };
}

const added = (a: LinkTraffic, b: LinkTraffic): LinkTraffic => ({
  sends: a.sends + b.sends,
  sent: a.sent + b.sent,
  receives: a.receives + b.receives,
  received: a.received + b.received,
});
