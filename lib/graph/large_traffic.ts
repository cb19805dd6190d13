/** Traffic of exchanges in worlds too large to prove, counted once for all that move slices of one size. @module */
import { countedTraffic } from "../alltoall/counted/mod.ts";
import type { KnownPlans } from "../alltoall/known.ts";
import type { AllToAll, TrafficMatrix } from "../alltoall/types.ts";
import type { ExpertGroups } from "../blocks/mod.ts";
import type { Topology, Traffic, TrafficPattern } from "../types.ts";
import { partialTraffic, type Slices, trafficMatrix } from "./transfers.ts";

/** An exchange with the plans of its algorithm. */
export interface LargeExchange extends Slices {
  readonly algorithm: AllToAll;
  readonly topology: Topology;
  readonly plans: KnownPlans;
  /** Bytes from rank to rank that the plans were made for, where they were made for any. */
  readonly matrix?: TrafficMatrix;
}

type Worlds = WeakMap<Topology, readonly TrafficPattern[]>;

/** Patterns in slices, of who exchanges them by which algorithm on which topology. */
const known = new WeakMap<Pick<ExpertGroups, "meet">, WeakMap<AllToAll, Worlds>>();

/**
 * Traffic of each phase. Where the ranks that meet exchange slices of one size, the pattern counts slices and is the
 * same for all chunks, ways and passes of a layer: plans of a large world take seconds to be made.
 */
export function largeTraffic(exchange: LargeExchange): Traffic[] {
  const { algorithm, topology, ragged, sliceBytes } = exchange;
  const among = ragged?.among;
  // plans by traffic differ from exchange to exchange, and parts of slices are rounded
  if (!among || algorithm.byTraffic || algorithm.parts) {
    return patternsOf(exchange).map((pattern) => ({ pattern, sliceBytes: 1 }));
  }
  let algorithms = known.get(among);
  if (!algorithms) known.set(among, algorithms = new WeakMap());
  let worlds = algorithms.get(algorithm);
  if (!worlds) algorithms.set(algorithm, worlds = new WeakMap());
  let patterns = worlds.get(topology);
  if (!patterns) {
    const bytes = (from: number, to: number) => among.meet(from, to) ? 1 : 0;
    worlds.set(topology, patterns = patternsOf({ ...exchange, ragged: { ...ragged, bytes } }));
  }
  return patterns.map((pattern) => ({ pattern, sliceBytes }));
}

function patternsOf(exchange: LargeExchange): TrafficPattern[] {
  const { algorithm, topology, plans, matrix: traffic = trafficMatrix(exchange, topology) } =
    exchange;
  const { routed, ways } = algorithm;
  return countedTraffic(
    { algorithm, topology, plans, traffic },
    routed || ways
      ? undefined
      : (phase) => partialTraffic(plans, exchange, { phase, topology }).pattern,
  );
}
