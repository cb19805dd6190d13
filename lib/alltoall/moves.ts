/** All that a plan moves, slice by slice over all ranks. @module */
import type { CollectivePhase, Reduce, Slice, Step } from "./types.ts";
import { partsOf, phaseName, type Planned, reject } from "./plan.ts";

/** Slices of scratch of all ranks together that a proof keeps track of. */
const MOST_SLOTS = 1 << 24;

/** Slices of the buffers of each rank. */
export interface Room {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly scratch: readonly number[];
}

/**
 * Numbers of the slots that hold one slice each: of every rank its input, output and scratch. Where an
 * algorithm cuts slices a slot holds a part, and the parts of a slice have consecutive numbers.
 */
export class Slots {
  readonly #first: Int32Array;
  /** By rank: slices of input on all ranks before it. */
  readonly #before: Int32Array;
  readonly ranks: number;

  constructor(readonly room: Room, readonly parts = 1) {
    const { inputs, outputs, scratch } = room;
    const ranks = this.ranks = inputs.length;
    this.#first = new Int32Array(ranks + 1);
    this.#before = new Int32Array(ranks + 1);
    for (let rank = 0; rank < ranks; rank++) {
      const slices = inputs[rank] + outputs[rank] + scratch[rank];
      this.#first[rank + 1] = this.#first[rank] + slices * parts;
      this.#before[rank + 1] = this.#before[rank] + inputs[rank];
    }
  }

  get count(): number {
    return this.#first[this.ranks];
  }

  /** Values there are: parts of slices of input. */
  get values(): number {
    return this.#before[this.ranks] * this.parts;
  }

  /** First slot of a slice. */
  of(rank: number, { buffer, index }: Slice): number {
    const { inputs, outputs } = this.room;
    const own = buffer === "input"
      ? 0
      : buffer === "output"
      ? inputs[rank]
      : inputs[rank] + outputs[rank];
    return this.#first[rank] + (own + index) * this.parts;
  }

  /** The value of a part of a slice of input: its number among all. */
  value(rank: number, index: number, part: number): number {
    return (this.#before[rank] + index) * this.parts + part;
  }

  /** The slice of input that a value is a part of. */
  origin(value: number): { readonly rank: number; readonly index: number; readonly part: number } {
    const slice = Math.floor(value / this.parts);
    const rank = last(this.#before, slice);
    return { rank, index: slice - this.#before[rank], part: value % this.parts };
  }

  /** The inverse of {@linkcode of}, with the part of the slice. */
  where(slot: number): { readonly rank: number; readonly slice: Slice; readonly part: number } {
    const rank = last(this.#first, slot);
    const within = slot - this.#first[rank];
    const at = Math.floor(within / this.parts);
    const { inputs, outputs } = this.room;
    const ends = [inputs[rank], inputs[rank] + outputs[rank]];
    const slice: Slice = at < ends[0]
      ? { buffer: "input", index: at }
      : at < ends[1]
      ? { buffer: "output", index: at - ends[0] }
      : { buffer: "scratch", index: at - ends[1] };
    return { rank, part: within % this.parts, slice };
  }
}

/** The last index whose number is at most `value`, of rising numbers; of equal ones the last. */
function last(numbers: Int32Array, value: number): number {
  let low = 0;
  for (let above = numbers.length - 1; above - low > 1;) {
    const middle = (low + above) >> 1;
    if (numbers[middle] <= value) low = middle;
    else above = middle;
  }
  return low;
}

/** Moves of single slices, or of single parts where slices are cut, numbered consecutively within a step. */
export interface Moves {
  readonly slots: Slots;
  readonly phases: readonly CollectivePhase[];
  readonly phase: Int32Array;
  /** Slots read and written. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Slots that a move of a sum reads besides `from`; absent for what only moves. */
  readonly added: ReadonlyMap<number, Int32Array>;
  /** By `phase * ranks + rank`: of each step the number of its first move. */
  readonly first: readonly Int32Array[];
}

/**
 * Lists the moves of all ranks' plans; the k-th send from i to j of a phase meets the k-th receive.
 * @throws {SchemoeError} when a send has no receive, or one of another number of slices.
 */
export function movesOf(
  algorithm: Planned,
  room: Omit<Room, "scratch">,
  plan: (rank: number) => readonly CollectivePhase[],
): Moves {
  const ranks = room.inputs.length;
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
  const slots = new Slots({ ...room, scratch }, parts);
  const added = new Map<number, Int32Array>();
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
        else if (step.kind === "reduce") slice = step.from[0];
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
        const others = step.kind === "reduce"
          ? step.from.slice(1).map((addend) => slots.of(rank, addend))
          : [];
        for (let k = first; k < last; k++) {
          if (others.length) added.set(phase.length, Int32Array.from(others, (slot) => slot + k));
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
    added,
    first,
  };
}

/** Slices of scratch that a plan names. */
export function scratchSlices(phases: readonly CollectivePhase[]): number {
  let most = 0;
  for (const { steps } of phases) {
    for (const step of steps) {
      for (const slice of slicesOf(step)) most = Math.max(most, scratchEnd(slice));
    }
  }
  return most;
}

/** Slices that a step names on its own rank. */
function slicesOf(step: Step | Reduce): readonly Slice[] {
  switch (step.kind) {
    case "copy":
      return [step.from, step.to];
    case "send":
      return [step.from];
    case "receive":
      return [step.to];
    case "reduce":
      return [...step.from, step.to];
  }
}

const scratchEnd = ({ buffer, index, count = 1 }: Slice) =>
  buffer === "scratch" ? index + count : 0;

/** By `sender * ranks + receiver`: positions of the sends in the sender's steps. */
function sendsOf(steps: readonly Steps[], ranks: number): Map<number, number[]> {
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

type Steps = CollectivePhase["steps"];

function unmet(
  algorithm: Planned,
  steps: readonly Steps[],
  phase: CollectivePhase,
  from: number,
  to: number,
): never {
  const times = (rank: number, kind: Step["kind"], peer: number) => {
    const count =
      steps[rank].filter((step) => step.kind === kind && "peer" in step && step.peer === peer)
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
