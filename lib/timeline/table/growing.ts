/**
 * Columns of a table that grow row by row, in typed arrays: a million rows take megabytes.
 * @module
 */
import { Lookup } from "./lookup.ts";

/** Rows for which memory is taken first. */
const FIRST = 64;

/** Numbers of one column; none is stored while all are 0. */
export class GrowingNumbers {
  #values: Float64Array<ArrayBuffer> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    const row = this.#length++;
    if (this.#values) this.#values = roomFor(this.#values, row);
    else if (value !== 0) this.#values = new Float64Array(Math.max(FIRST, 2 * row));
    else return;
    this.#values[row] = value;
  }

  at(row: number): number {
    return this.#values ? this.#values[row] : 0;
  }

  /** A copy of its own length. */
  values(): Float64Array {
    return this.#values?.slice(0, this.#length) ?? new Float64Array(this.#length);
  }
}

/** Values of one column, equal ones stored once; no more than one while all are equal. */
export class GrowingLookup<T> {
  readonly #number = new Map<T, number>();
  readonly #values: T[] = [];
  #index: Uint32Array<ArrayBuffer> | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: T): void {
    let number = this.#number.get(value);
    if (number === undefined) {
      number = this.#values.push(value) - 1;
      this.#number.set(value, number);
    }
    const row = this.#length++;
    if (this.#index) this.#index = roomFor(this.#index, row);
    else if (number > 0) this.#index = new Uint32Array(Math.max(FIRST, 2 * row));
    else return;
    this.#index[row] = number;
  }

  at(row: number): T {
    return this.#values[this.#index ? this.#index[row] : 0];
  }

  /** The distinct values, in the order in which they came. */
  distinct(): readonly T[] {
    return this.#values;
  }

  column(): Lookup<T> {
    const index = this.#index?.slice(0, this.#length) ?? new Uint32Array(this.#length);
    return new Lookup(this.#values, index);
  }
}

/** The array, or one of twice its length when the row does not fit. */
function roomFor<A extends Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(
  array: A,
  row: number,
): A {
  if (row < array.length) return array;
  const larger = new (array.constructor as new (length: number) => A)(2 * array.length);
  larger.set(array);
  return larger;
}
