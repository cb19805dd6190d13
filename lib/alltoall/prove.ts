/** Proof that a plan is an all-to-all, before anything runs. @module */
import type { AllToAll, Phase, TrafficMatrix } from "./types.ts";
import type { Topology } from "../types.ts";
import { explain } from "./explain.ts";
import { type Moves, movesOf } from "./moves.ts";
import { checkedPlans, partsOf, phaseName, reject } from "./plan.ts";
import { AMBIGUOUS, END, Values } from "./values.ts";

/** A plan that is known to be right. */
export interface Proof {
  readonly name: string;
  readonly ranks: number;
  readonly phases: number;
  /** Moves of single slices, or parts of slices, over all ranks. */
  readonly moves: number;
  /**
   * For the steps of a rank in a phase, by number: what the k-th slice of a step holds at that moment,
   * `source * ranks + destination`, or a negative number where it does not matter.
   */
  readonly carried: (rank: number, phase: number) => (step: number, slice: number) => number;
  /** True when slots of input and output never hold but the slice that belongs there. */
  readonly direct: () => boolean;
}

/**
 * Proves by a symbolic run over all ranks that slice j of rank i's input ends as slice i of rank j's
 * output, in whatever order the engine runs what is unordered.
 *
 * Steps of one phase are unordered, and so are phases without a path of `after` between them, on one
 * rank and across ranks, on one lane and across lanes; a step of n slices is n unordered moves. The
 * values are proven and not only the accesses: what no output depends on may hold anything, and
 * writing the same slice twice is no fault. Slices of `input` may be overwritten once they are sent.
 *
 * Graphs prove the plans that they use in worlds of up to 256 ranks, once for each algorithm and
 * topology; in larger ones plans are checked rank by rank, and this function is there to be called.
 *
 * The proof is sound: what it accepts is right in every interleaving. It takes time in proportion to
 * the moves, 64 ranks taking a few milliseconds.
 *
 * ```ts
 * import { proveAllToAll } from "@schemoe/lab/alltoall";
 * import { topology } from "@schemoe/lab";
 * import { pipe } from "@schemoe/lab/alltoall";
 * console.assert(proveAllToAll(pipe, topology({ nodes: 2, ranksPerNode: 2 })).moves === 16);
 * ```
 * @param traffic for an algorithm that plans by it; default equal slices.
 * @throws {SchemoeError} naming rank, phase and slice of the first fault.
 */
export function proveAllToAll(
  algorithm: AllToAll,
  topology: Topology,
  traffic?: TrafficMatrix,
): Proof {
  return provePlans(algorithm, topology, checkedPlans(algorithm, topology, traffic));
}

/** The same for plans that were made already. */
export function provePlans(
  algorithm: AllToAll,
  topology: Topology,
  plan: (rank: number) => readonly Phase[],
): Proof {
  const { ranks } = topology;
  const parts = partsOf(algorithm);
  const moves = movesOf(algorithm, topology, plan);
  const values = new Values(moves);
  const faults: number[] = [];
  for (let rank = 0; rank < ranks; rank++) {
    for (let source = 0; source < ranks; source++) {
      const slot = moves.slots.of(rank, { buffer: "output", index: source });
      for (let part = 0; part < parts; part++) {
        if (values.at(slot + part, END) !== moves.slots.belonging(rank, source, part)) {
          faults.push(slot + part);
        }
      }
    }
  }
  if (faults.length) {
    // A race explains more than the slice that is missing elsewhere because of it.
    const worst = faults.find((slot) => values.at(slot, END) === AMBIGUOUS) ??
      faults.find((slot) => values.at(slot, END) >= 0) ?? faults[0];
    const { rank, problem } = explain(values, worst);
    reject(algorithm, rank, problem);
  }
  const carried = (rank: number, phase: number) => {
    const first = moves.first[phase * ranks + rank];
    if (parts === 1) return (step: number, slice: number) => values.moved[first[step] + slice];
    const { steps } = plan(rank)[phase];
    return (step: number, slice: number) => {
      const [begin, end] = steps[step].part ?? [0, parts];
      const at = first[step] + slice * (end - begin);
      const value = sliceOf(values.moved[at], parts);
      for (let k = 1; k < end - begin; k++) {
        if (sliceOf(values.moved[at + k], parts) === value) continue;
        reject(
          algorithm,
          rank,
          `moves parts of different slices at once in phase "${phaseName(moves.phases[phase])}"`,
        );
      }
      return value;
    };
  };
  let direct: boolean | undefined;
  return {
    name: algorithm.name,
    ranks,
    phases: moves.phases.length,
    moves: moves.phase.length,
    carried,
    direct: () =>
      direct ??= moves.to.every((slot, move) => belongs(moves, slot, values.moved[move])),
  };
}

/** Slice of a part; what no output depends on stays negative. */
const sliceOf = (value: number, parts: number) => value < 0 ? value : Math.floor(value / parts);

/** Whether a value may lie in a slot that is no scratch; values that no output depends on may. */
function belongs({ slots }: Moves, slot: number, value: number): boolean {
  if (value < 0) return true;
  const { rank, slice: { buffer, index }, part } = slots.where(slot);
  return buffer === "scratch" ||
    value ===
      (buffer === "input"
        ? slots.belonging(index, rank, part)
        : slots.belonging(rank, index, part));
}
