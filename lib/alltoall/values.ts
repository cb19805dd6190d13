/** Possible contents of every slot of an all-to-all, over all interleavings. @module */
import type { Moves } from "./moves.ts";
import { PhaseOrder } from "./phase_order.ts";

/** A slice that nothing was written to. */
export const UNWRITTEN = -1;
/** More than one slice, depending on the interleaving. */
export const AMBIGUOUS = -2;
const UNKNOWN = -3;
/**
 * Values of slots: `source * ranks + destination` for a slice of input (where slices are cut,
 * `(source * ranks + destination) * parts + part`), or one of the two above.
 *
 * A read sees a write unless it comes before it or a third write is ordered between them. That is all it
 * can see: two accesses to a slot of a rank are ordered exactly if their phases are, because a
 * transfer belongs to the phase on both of its ranks. So each move gets the join of what it may see, and
 * a value that stays single is the same in every interleaving.
 */
export class Values {
  /** By move. */
  readonly moved: Int32Array;
  readonly #writes: Int32Array;
  readonly #begin: Int32Array;
  readonly #order: PhaseOrder;
  readonly #initial: Int32Array;
  #raced = false;
  readonly sums: Sums;

  constructor(readonly moves: Moves) {
    const { phase, from, to, slots, added } = moves;
    this.sums = new Sums(slots.values);
    this.#order = new PhaseOrder(moves.phases);
    this.#initial = new Int32Array(slots.count).fill(UNWRITTEN);
    for (let rank = 0; rank < slots.ranks; rank++) {
      const begin = slots.of(rank, { buffer: "input", index: 0 });
      const own = slots.value(rank, 0, 0);
      const end = slots.room.inputs[rank] * slots.parts;
      for (let i = 0; i < end; i++) this.#initial[begin + i] = own + i;
    }
    this.#begin = new Int32Array(slots.count + 1);
    for (const slot of to) this.#begin[slot + 1]++;
    for (let slot = 0; slot < slots.count; slot++) this.#begin[slot + 1] += this.#begin[slot];
    const next = this.#begin.slice();
    this.#writes = new Int32Array(to.length);
    for (let move = 0; move < to.length; move++) this.#writes[next[to[move]]++] = move;
    this.moved = new Int32Array(to.length).fill(UNKNOWN);
    // Moves are numbered by phase, so one time is enough where no read sees an unordered write.
    for (let changed = true; changed;) {
      changed = false;
      for (let move = 0; move < to.length; move++) {
        let value = this.at(from[move], phase[move], move);
        for (const slot of added.get(move) ?? []) {
          value = this.sums.add(value, this.at(slot, phase[move], move));
        }
        changed ||= this.#raced && value !== this.moved[move];
        this.moved[move] = value;
      }
    }
  }

  /** Possible contents of a slot when a phase reads it. */
  at(slot: number, phase: number, reader = -1): number {
    const begin = this.#begin[slot];
    if (this.#begin[slot + 1] - begin === 1) {
      return this.#atOnly(this.#writes[begin], slot, phase, reader);
    }
    let value = UNKNOWN;
    let covered = false;
    for (let i = begin; i < this.#begin[slot + 1]; i++) {
      const write = this.#writes[i];
      if (write === reader || this.#order.before(phase, this.moves.phase[write])) continue;
      if (this.#order.before(this.moves.phase[write], phase)) covered = true;
      else this.#raced = true;
      if (!this.#hidden(write, phase, slot)) value = join(value, this.moved[write]);
    }
    return covered ? value : join(value, this.#initial[slot]);
  }

  /** The same for a slot that is written once, as most are. */
  #atOnly(write: number, slot: number, phase: number, reader: number): number {
    const written = this.moves.phase[write];
    if (write === reader || this.#order.before(phase, written)) return this.#initial[slot];
    if (this.#order.before(written, phase)) return this.moved[write];
    this.#raced = true;
    return join(this.moved[write], this.#initial[slot]);
  }

  /** The moves whose writes a read may see, ordered ones first, and whether what was there at first. */
  seen(
    slot: number,
    phase: number,
    reader = -1,
  ): { readonly moves: number[]; readonly initial: boolean } {
    const ordered = (write: number) => this.#order.before(this.moves.phase[write], phase);
    const writes = [...this.#writes.subarray(this.#begin[slot], this.#begin[slot + 1])]
      .filter((write) => write !== reader && !this.#order.before(phase, this.moves.phase[write]));
    return {
      moves: writes.filter((write) => !this.#hidden(write, phase, slot))
        .sort((a, b) => Number(ordered(b)) - Number(ordered(a))),
      initial: !writes.some(ordered),
    };
  }

  /** Whether another write comes between one and a phase. */
  #hidden(write: number, phase: number, slot: number): boolean {
    if (this.#begin[slot + 1] - this.#begin[slot] === 1) return false;
    const from = this.moves.phase[write];
    for (let i = this.#begin[slot]; i < this.#begin[slot + 1]; i++) {
      const between = this.moves.phase[this.#writes[i]];
      if (this.#order.before(from, between) && this.#order.before(between, phase)) return true;
    }
    return false;
  }
}

/** Terms of a sum that are kept, at most: more can only come of a sum that reads itself. */
const MOST_TERMS = 1 << 16;

/** Numbers of sums of values, after those of the values: which terms, not in which order, since any order is right. */
export class Sums {
  readonly #numbers = new Map<string, number>();
  readonly #terms: (readonly number[])[] = [];

  /** @param values there are. */
  constructor(readonly values: number) {}

  /** The terms of a value or sum, rising. */
  terms(value: number): readonly number[] {
    return value < this.values ? [value] : this.#terms[value - this.values];
  }

  /** The number of a sum. */
  of(terms: readonly number[]): number {
    if (terms.length === 1) return terms[0];
    const rising = terms.toSorted((a, b) => a - b);
    const key = rising.join();
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.values + this.#terms.push(rising) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }

  /** The sum of two; of what is not known, not written or ambiguous it is that. */
  add(a: number, b: number): number {
    if (a < 0 || b < 0) {
      if (a === UNKNOWN || b === UNKNOWN) return UNKNOWN;
      return a === UNWRITTEN || b === UNWRITTEN ? UNWRITTEN : AMBIGUOUS;
    }
    const terms = [...this.terms(a), ...this.terms(b)];
    return terms.length > MOST_TERMS ? AMBIGUOUS : this.of(terms);
  }
}

function join(a: number, b: number): number {
  if (a === UNKNOWN || a === b) return b;
  return b === UNKNOWN ? a : AMBIGUOUS;
}
