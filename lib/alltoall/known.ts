/** Plans that were checked and proven once, kept for each algorithm and topology. @module */
import type { AllToAll, Phase, TrafficMatrix } from "./types.ts";
import type { Topology } from "../types.ts";
import { scratchSlices } from "./moves.ts";
import { checkedPlans, partsOf, reject } from "./plan.ts";
import { type Proof, provePlans } from "./prove.ts";

/**
 * Plans of larger worlds are not proven before they are used, only checked rank by rank: a world of
 * that size is simulated, and the proof grows with the square of the ranks.
 */
export const PROVEN_RANKS = 256;

/** The plans of an algorithm on a topology. */
export interface KnownPlans {
  readonly phases: (rank: number) => readonly Phase[];
  /** Slices of scratch on the rank that needs most. */
  readonly scratch: () => number;
  /** Parts that steps may cut a slice into. */
  readonly parts: number;
  /** See {@linkcode Proof}. */
  readonly carried: Proof["carried"];
  readonly direct: () => boolean;
}

const known = new WeakMap<AllToAll, WeakMap<Topology, KnownPlans>>();

/** Plans by traffic that are kept for each algorithm and topology. */
const KEPT_TRAFFIC = 32;
const knownByTraffic = new WeakMap<AllToAll, WeakMap<Topology, PlannedTraffic[]>>();

/** Plans with the traffic that they were made for. */
interface PlannedTraffic {
  readonly traffic: TrafficMatrix;
  /** The traffic itself, where it is not too large to be kept. */
  readonly table: Float64Array | undefined;
  readonly plans: KnownPlans;
}

/**
 * The plans of an algorithm, proven in worlds of up to {@linkcode PROVEN_RANKS} ranks.
 * @param traffic for algorithms that plan by it; plans for equal traffic are made once.
 * @throws {SchemoeError} naming rank, phase and slice that are wrong.
 */
export function plansOf(
  algorithm: AllToAll,
  topology: Topology,
  traffic?: TrafficMatrix,
): KnownPlans {
  if (traffic && algorithm.byTraffic) return plansFor(algorithm, topology, traffic);
  let plans = known.get(algorithm);
  if (!plans) known.set(algorithm, plans = new WeakMap());
  let found = plans.get(topology);
  if (!found) plans.set(topology, found = makePlans(algorithm, topology));
  return found;
}

function plansFor(algorithm: AllToAll, topology: Topology, traffic: TrafficMatrix): KnownPlans {
  let worlds = knownByTraffic.get(algorithm);
  if (!worlds) knownByTraffic.set(algorithm, worlds = new WeakMap());
  let list = worlds.get(topology);
  if (!list) worlds.set(topology, list = []);
  const table = traffic.ranks <= PROVEN_RANKS ? tableOf(traffic) : undefined;
  const found = list.find((known) =>
    known.traffic === traffic ||
    (table && known.table?.every((bytes, i) => bytes === table[i]))
  );
  if (found) return found.plans;
  const plans = makePlans(algorithm, topology, traffic);
  list.push({ traffic, table, plans });
  if (list.length > KEPT_TRAFFIC) list.shift();
  return plans;
}

function tableOf({ ranks, bytes }: TrafficMatrix): Float64Array {
  const table = new Float64Array(ranks * ranks);
  for (let i = 0; i < ranks * ranks; i++) table[i] = bytes(Math.floor(i / ranks), i % ranks);
  return table;
}

function makePlans(
  algorithm: AllToAll,
  topology: Topology,
  traffic?: TrafficMatrix,
): KnownPlans {
  const { ranks } = topology;
  const phases = checkedPlans(algorithm, topology, traffic);
  const proof = ranks <= PROVEN_RANKS ? provePlans(algorithm, topology, phases) : undefined;
  let scratch: number | undefined;
  return {
    phases,
    parts: partsOf(algorithm),
    scratch() {
      if (scratch === undefined) {
        scratch = 0;
        for (let rank = 0; rank < ranks; rank++) {
          scratch = Math.max(scratch, scratchSlices(phases(rank)));
        }
      }
      return scratch;
    },
    direct: () => proof?.direct() ?? true,
    carried: proof?.carried ??
      ((rank, phase) => directly(algorithm, ranks, rank, phases(rank)[phase])),
  };
}

/** Slices of the steps of a phase where every step goes from input to output: no proof is needed. */
function directly(algorithm: AllToAll, ranks: number, rank: number, { steps }: Phase) {
  for (const step of steps) {
    const aside = (step.kind !== "receive" && step.from.buffer !== "input") ||
      (step.kind !== "send" && step.to.buffer !== "output");
    if (!aside) continue;
    reject(
      algorithm,
      rank,
      `passes slices on by other ranks, which groups of peers and dropless rows do not support on more than ${PROVEN_RANKS} ranks; ` +
        `use capacitySlices of padded rows, or an all-to-all that goes from input to output or tells the ways of its slices`,
    );
  }
  return (number: number, k: number) => {
    const step = steps[number];
    return step.kind === "receive"
      ? (step.to.index + k) * ranks + rank
      : rank * ranks + step.from.index + k;
  };
}
