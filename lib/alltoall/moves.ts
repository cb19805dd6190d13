/** All that a plan moves, slice by slice over all ranks. @module */
import type { AllToAll, Phase, Slice, Step } from "./types.ts";
import type { Topology } from "../types.ts";
import { partsOf, phaseName, reject } from "./plan.ts";

/** Slices of scratch of all ranks together that a proof keeps track of. */
const MOST_SLOTS = 1 << 24;

/**
 * Numbers of the slots that hold one slice each: of every rank its input, output and scratch. Where an
 * algorithm cuts slices a slot holds a part, and the parts of a slice have consecutive numbers.
 */
export class Slots {
  readonly #first: Int32Array;
  /** Slots of the input, or the output, of a rank. */
  readonly width: number;

  /** @param scratch slices of scratch of each rank. */
  constructor(readonly ranks: number, scratch: readonly number[], readonly parts = 1) {
    this.width = ranks * parts;
    this.#first = new Int32Array(ranks + 1);
    for (let rank = 0; rank < ranks; rank++) {
      this.#first[rank + 1] = this.#first[rank] + (2 * ranks + scratch[rank]) * parts;
    }
  }

  get count(): number {
    return this.#first[this.ranks];
  }

  /** First slot of a slice. */
  of(rank: number, { buffer, index }: Slice): number {
    const kind = buffer === "input" ? 0 : buffer === "output" ? 1 : 2;
    return this.#first[rank] + (kind * this.ranks + index) * this.parts;
  }

  /** The value that belongs into a slot of output: the slot of input that it comes from. */
  belonging(rank: number, source: number, part: number): number {
    return source * this.width + rank * this.parts + part;
  }

  /** The inverse of {@linkcode of}, with the part of the slice. */
  where(slot: number): { readonly rank: number; readonly slice: Slice; readonly part: number } {
    let rank = 0;
    for (let above = this.ranks; above - rank > 1;) {
      const middle = (rank + above) >> 1;
      if (this.#first[middle] <= slot) rank = middle;
      else above = middle;
    }
    const within = slot - this.#first[rank];
    const at = Math.floor(within / this.parts);
    const kind = Math.min(2, Math.floor(at / this.ranks));
    return {
      rank,
      part: within % this.parts,
      slice: {
        buffer: (["input", "output", "scratch"] as const)[kind],
        index: at - kind * this.ranks,
      },
    };
  }
}

/** Moves of single slices, or of single parts where slices are cut, numbered consecutively within a step. */
export interface Moves {
  readonly slots: Slots;
  readonly phases: readonly Phase[];
  readonly phase: Int32Array;
  /** Slots read and written. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** By `phase * ranks + rank`: of each step the number of its first move. */
  readonly first: readonly Int32Array[];
}

/**
 * Lists the moves of all ranks' plans; the k-th send from i to j of a phase meets the k-th receive.
 * @throws {SchemoeError} when a send has no receive, or one of another number of slices.
 */
export function movesOf(
  algorithm: AllToAll,
  topology: Topology,
  plan: (rank: number) => readonly Phase[],
): Moves {
  const { ranks } = topology;
  const plans = Array.from({ length: ranks }, (_, rank) => plan(rank));
  const scratch = plans.map(scratchSlices);
  if (scratch.reduce((sum, count) => sum + count, 0) > MOST_SLOTS) {
    const most = scratch.reduce((a, b) => Math.max(a, b));
    reject(
      algorithm,
      scratch.indexOf(most),
      `names ${most} slices of scratch, too many to prove the plan`,
    );
  }
  const parts = partsOf(algorithm);
  const slots = new Slots(ranks, scratch, parts);
  const phase: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const first: Int32Array[] = [];
  for (const index of plans[0].keys()) {
    const steps = plans.map((phases) => phases[index].steps);
    const begun = steps.map(({ length }) => new Int32Array(length));
    const sends = sendsOf(steps, ranks);
    for (let rank = 0; rank < ranks; rank++) {
      for (let i = 0; i < steps[rank].length; i++) {
        const step = steps[rank][i];
        if (step.kind === "send") continue;
        begun[rank][i] = phase.length;
        let source = rank;
        let slice: Slice;
        if (step.kind === "copy") slice = step.from;
        else {
          source = step.peer;
          const k = sends.get(source * ranks + rank)?.shift();
          const send = k === undefined ? undefined : steps[source][k];
          if (send?.kind !== "send") return unmet(algorithm, steps, plans[0][index], source, rank);
          slice = send.from;
          begun[source][k!] = phase.length;
          const sent = slice.count ?? 1;
          const received = step.to.count ?? 1;
          if (sent !== received) {
            const text = `receives ${received} slices from rank ${source} in phase "${
              phaseName(plans[0][index])
            }", which`;
            reject(algorithm, rank, `${text} sends ${sent}; the k-th send meets the k-th receive`);
          }
          if (step.part?.join() !== send.part?.join()) {
            const name = phaseName(plans[0][index]);
            const [got, gave] = [step.part, send.part].map((part) => part ? `part ${part}` : "all");
            reject(
              algorithm,
              rank,
              `receives ${got} of a slice from rank ${source} in phase "${name}", which sends ${gave}`,
            );
          }
        }
        const begin = slots.of(source, slice);
        const end = slots.of(rank, step.to);
        const [first, last] = step.part ?? [0, (slice.count ?? 1) * parts];
        for (let k = first; k < last; k++) {
          phase.push(index);
          from.push(begin + k);
          to.push(end + k);
        }
      }
    }
    for (const [pair, left] of sends) {
      if (left.length) {
        unmet(algorithm, steps, plans[0][index], Math.floor(pair / ranks), pair % ranks);
      }
    }
    first.push(...begun);
  }
  const numbers = (values: number[]) => Int32Array.from(values);
  return {
    slots,
    phases: plans[0],
    phase: numbers(phase),
    from: numbers(from),
    to: numbers(to),
    first,
  };
}

/** Slices of scratch that a plan names. */
export function scratchSlices(phases: readonly Phase[]): number {
  let most = 0;
  for (const { steps } of phases) {
    for (const step of steps) {
      if (step.kind !== "receive") most = Math.max(most, scratchEnd(step.from));
      if (step.kind !== "send") most = Math.max(most, scratchEnd(step.to));
    }
  }
  return most;
}

const scratchEnd = ({ buffer, index, count = 1 }: Slice) =>
  buffer === "scratch" ? index + count : 0;

/** By `sender * ranks + receiver`: positions of the sends in the sender's steps. */
function sendsOf(steps: readonly (readonly Step[])[], ranks: number): Map<number, number[]> {
  const sends = new Map<number, number[]>();
  for (let rank = 0; rank < ranks; rank++) {
    for (let i = 0; i < steps[rank].length; i++) {
      const step = steps[rank][i];
      if (step.kind !== "send") continue;
      const pair = rank * ranks + step.peer;
      const list = sends.get(pair);
      if (list) list.push(i);
      else sends.set(pair, [i]);
    }
  }
  return sends;
}

function unmet(
  algorithm: AllToAll,
  steps: readonly (readonly Step[])[],
  phase: Phase,
  from: number,
  to: number,
): never {
  const times = (rank: number, kind: Step["kind"], peer: number) => {
    const count =
      steps[rank].filter((step) => step.kind === kind && step.kind !== "copy" && step.peer === peer)
        .length;
    return `${count} ${count === 1 ? "time" : "times"}`;
  };
  return reject(
    algorithm,
    from,
    `sends ${times(from, "send", to)} to rank ${to} in phase "${
      phaseName(phase)
    }", and rank ${to} receives ` +
      `${times(to, "receive", from)} from it; each send needs a receive in the same phase`,
  );
}
