/** Plans that were checked and proven once, kept for each algorithm and topology. @module */
import type { AllToAll, Phase, Topology } from "../types.ts";
import { scratchSlices } from "./moves.ts";
import { checkedPlans, reject } from "./plan.ts";
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
  /** See {@linkcode Proof}. */
  readonly carried: Proof["carried"];
  readonly direct: () => boolean;
}

const known = new WeakMap<AllToAll, WeakMap<Topology, KnownPlans>>();

/**
 * The plans of an algorithm, proven in worlds of up to {@linkcode PROVEN_RANKS} ranks.
 * @throws {SchemoeError} naming rank, phase and slice that are wrong.
 */
export function plansOf(algorithm: AllToAll, topology: Topology): KnownPlans {
  let plans = known.get(algorithm);
  if (!plans) known.set(algorithm, plans = new WeakMap());
  let found = plans.get(topology);
  if (!found) plans.set(topology, found = makePlans(algorithm, topology));
  return found;
}

function makePlans(algorithm: AllToAll, topology: Topology): KnownPlans {
  const { ranks } = topology;
  const phases = checkedPlans(algorithm, topology);
  const proof = ranks <= PROVEN_RANKS ? provePlans(algorithm, topology, phases) : undefined;
  let scratch: number | undefined;
  return {
    phases,
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

/** What the steps of a phase carry where every step goes from input to output: no proof is needed. */
function directly(algorithm: AllToAll, ranks: number, rank: number, { steps }: Phase) {
  for (const step of steps) {
    const aside = (step.kind !== "receive" && step.from.buffer !== "input") ||
      (step.kind !== "send" && step.to.buffer !== "output");
    if (!aside) continue;
    reject(
      algorithm,
      rank,
      `passes slices on by other ranks, which groups of peers and dropless rows do not support on more than ${PROVEN_RANKS} ranks; ` +
        `use capacitySlices of padded rows, or an all-to-all that goes from input to output`,
    );
  }
  return (number: number, k: number) => {
    const step = steps[number];
    return step.kind === "receive"
      ? (step.to.index + k) * ranks + rank
      : rank * ranks + step.from.index + k;
  };
}
