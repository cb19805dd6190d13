/** Proof that a plan is an all-to-all, before anything runs. @module */
import {
  aCollective,
  anAllToAll,
  aTopology,
  expect,
  maybe,
  someTraffic,
} from "../arguments/mod.ts";
import type { AllToAll, Collective, CollectivePhase, Phase, TrafficMatrix } from "./types.ts";
import type { Topology } from "../types.ts";
import { callUser } from "../user_code.ts";
import { quoted } from "../words.ts";
import { explain, raceText } from "./explain.ts";
import { type Moves, movesOf } from "./moves.ts";
import { checkedPlans, collectivePlans, partsOf, phaseName, type Planned, reject } from "./plan.ts";
import { END } from "./phase_order.ts";
import { raceOf } from "./races.ts";
import { AMBIGUOUS, Values } from "./values.ts";

const PROVE_ALL_TO_ALL_TRAFFIC = maybe(someTraffic);

/** A plan that is known to be right. */
export interface Proof {
  /** Of the all-to-all. */
  readonly name: string;
  /** Ranks for which it was proven. */
  readonly ranks: number;
  /** Phases of each rank. */
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
 * rank and across ranks, on one lane and across lanes; a step of n slices is n unordered moves. Values are
 * proven, and accesses: memory that two moves use in no order while one of them writes it is a fault, also
 * where both write the same value or no output depends on it. What no output depends on may hold anything;
 * slices of `input` may be overwritten in a phase after the one that sends them.
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
  expect("proveAllToAll", "algorithm", algorithm, anAllToAll);
  expect("proveAllToAll", "topology", topology, aTopology);
  expect("proveAllToAll", "traffic", traffic, PROVE_ALL_TO_ALL_TRAFFIC);
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
  const all = Array.from({ length: ranks }, () => ranks);
  const moves = movesOf(algorithm, { inputs: all, outputs: all }, plan);
  const { slots } = moves;
  const values = provedValues(
    algorithm,
    moves,
    (rank, source, part) => slots.value(source, rank, part),
  );
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

/**
 * The values of a plan that brings what belongs there into every slot of output.
 * @param belonging the value of a part of a slice of output.
 * @throws {SchemoeError} naming rank, phase and slice of the first fault.
 */
function provedValues(
  algorithm: Planned,
  moves: Moves,
  belonging: (rank: number, index: number, part: number, values: Values) => number,
): Values {
  const { slots, slots: { ranks, parts, room } } = moves;
  const values = new Values(moves);
  const faults: number[] = [];
  for (let rank = 0; rank < ranks; rank++) {
    for (let index = 0; index < room.outputs[rank]; index++) {
      const slot = slots.of(rank, { buffer: "output", index });
      for (let part = 0; part < parts; part++) {
        if (values.at(slot + part, END) !== belonging(rank, index, part, values)) {
          faults.push(slot + part);
        }
      }
    }
  }
  // A race explains more than what is missing because of it, and is a fault where nothing is.
  const ambiguous = faults.some((slot) => values.at(slot, END) === AMBIGUOUS);
  const race = faults.length === 0 || ambiguous ? raceOf(moves) : undefined;
  if (race) return reject(algorithm, race.rank, raceText(moves, race));
  if (faults.length === 0) return values;
  const worst = faults.find((slot) => values.at(slot, END) >= 0) ?? faults[0];
  const expected = slots.where(worst);
  const { rank, problem } = explain(
    values,
    worst,
    belonging(expected.rank, expected.slice.index, expected.part, values),
  );
  return reject(algorithm, rank, problem);
}

/** A collective whose plans are known to be right. */
export interface CollectiveProof {
  /** Of the collective. */
  readonly name: string;
  /** Ranks for which it was proven. */
  readonly ranks: number;
  /** Moves of single slices, or parts of slices, over all ranks; a sum is one. */
  readonly moves: number;
  /** Phases of each rank. */
  readonly plans: readonly (readonly CollectivePhase[])[];
  /**
   * For the steps of a rank in a phase: one of the slices of input that the k-th slice of a step holds, or a sum of
   * which it is a term; undefined where no output depends on it.
   */
  carried(
    at: { readonly rank: number; readonly phase: number; readonly step: number },
    k?: number,
  ): readonly [rank: number, input: number] | undefined;
}

/**
 * Proves by a symbolic run over all ranks that each slice of output ends as the sum of its terms, each added exactly
 * once, in whatever order the engine runs what is unordered: as {@linkcode proveAllToAll} does, with sums. A sum may
 * be written over one of its own terms.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { input, output, proveCollective, receive, reduce, scratch, send } from "@schemoe/lab/alltoall";
 * const world = topology({ nodes: 1, ranksPerNode: 2 });
 * const proof = proveCollective({
 *   name: "reduce to rank 0",
 *   inputs: () => 1,
 *   outputs: (rank) => rank === 0 ? 1 : 0,
 *   terms: () => [[0, 0], [1, 0]],
 *   plan: ({ rank }) => [
 *     { lane: "intra", steps: [rank ? send(input(0), 0) : receive(scratch(0), 1)] },
 *     { lane: "compute", steps: rank ? [] : [reduce([input(0), scratch(0)], output(0))] },
 *   ],
 * }, world);
 * console.assert(proof.moves === 2);
 * ```
 * @throws {SchemoeError} naming rank, phase and slice of the first fault.
 */
export function proveCollective(collective: Collective, topology: Topology): CollectiveProof {
  expect("proveCollective", "collective", collective, aCollective);
  expect("proveCollective", "topology", topology, aTopology);
  const plans = collectivePlans(collective, topology);
  const of = (count: (rank: number) => number) => plans.map((_, rank) => count(rank));
  const room = { inputs: of(collective.inputs), outputs: of(collective.outputs) };
  const moves = movesOf(collective, room, (rank) => plans[rank]);
  const { slots, slots: { parts, ranks } } = moves;
  const values = provedValues(collective, moves, (rank, index, part, { sums }) => {
    const terms = termsOf(collective, { rank, index, inputs: room.inputs });
    return sums.of(terms.map(([source, input]) => slots.value(source, input, part)));
  });
  return {
    name: collective.name,
    ranks,
    moves: moves.phase.length,
    plans,
    carried({ rank, phase, step }, k = 0) {
      const { part = [0, parts] } = plans[rank][phase].steps[step];
      const move = moves.first[phase * ranks + rank][step] + k * (part[1] - part[0]);
      const value = values.moved[move];
      if (value < 0) return undefined;
      const { rank: source, index } = slots.origin(values.sums.terms(value)[0]);
      return [source, index];
    },
  };
}

/** What belongs into a slice of output. @throws {SchemoeError} unless it is the sum of slices of input that exist. */
function termsOf(
  collective: Collective,
  { rank, index, inputs }: {
    readonly rank: number;
    readonly index: number;
    readonly inputs: readonly number[];
  },
): ReturnType<Collective["terms"]> {
  const terms = callUser(
    `the collective "${collective.name}"`,
    `terms of rank ${rank}`,
    () => collective.terms(rank, index),
  );
  if (!Array.isArray(terms) || terms.length === 0) {
    const problem = `says nothing of what belongs into slice ${index} of its output`;
    return reject(collective, rank, `${problem}; terms must give [rank, input] at least once`);
  }
  for (const term of terms as unknown[]) {
    const [source, input] = Array.isArray(term) ? term : [];
    const there = Number.isInteger(source) && Number.isInteger(input) && input >= 0 &&
      input < (inputs[source] ?? 0);
    if (there) continue;
    const found = Array.isArray(term) ? `input slice ${input} of rank ${source}` : quoted(term);
    const has = inputs[source] === undefined
      ? `there are ${inputs.length} ranks`
      : `it has ${inputs[source]}`;
    reject(
      collective,
      rank,
      `wants ${found} in slice ${index} of its output; ${
        Array.isArray(term) ? has : "a term is [rank, input]"
      }`,
    );
  }
  return terms;
}

/** Slice of a part; what no output depends on stays negative. */
const sliceOf = (value: number, parts: number) => value < 0 ? value : Math.floor(value / parts);

/** Whether a value may lie in a slot that is no scratch; values that no output depends on may. */
function belongs({ slots }: Moves, slot: number, value: number): boolean {
  if (value < 0) return true;
  const { rank, slice: { buffer, index }, part } = slots.where(slot);
  return buffer === "scratch" ||
    value ===
      (buffer === "input" ? slots.value(rank, index, part) : slots.value(index, rank, part));
}
