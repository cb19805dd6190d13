/**
 * Table columns that store each distinct value once, or work values out when they are read.
 * @module
 */

/** A column whose row r holds `values[index[r]]`: thousands of ranks share one name. */
export class Lookup<T> {
  readonly #values: ArrayLike<T>;
  readonly #index: Uint32Array;

  constructor(values: ArrayLike<T>, index: Uint32Array) {
    this.#values = values;
    this.#index = index;
  }

  /** Number of rows. */
  get length(): number {
    return this.#index.length;
  }

  /** Value of a row. */
  at(row: number): T {
    return this.#values[this.#index[row]];
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let row = 0; row < this.length; row++) yield this.at(row);
  }

  /** Column of the given values, equal ones stored once. */
  static of<T>(length: number, values: Iterable<T>): Lookup<T> {
    const number = new Map<T, number>();
    const index = new Uint32Array(length);
    let row = 0;
    for (const value of values) {
      let at = number.get(value);
      if (at === undefined) number.set(value, at = number.size);
      index[row++] = at;
    }
    return new Lookup([...number.keys()], index);
  }
}

/** A column of numbers that are worked out when first read. */
export class Computed {
  readonly #compute: (row: number) => number;
  readonly #known: Float64Array;

  constructor(length: number, compute: (row: number) => number) {
    this.#compute = compute;
    this.#known = new Float64Array(length).fill(NaN);
  }

  /** Number of rows. */
  get length(): number {
    return this.#known.length;
  }

  /** Value of a row. */
  at(row: number): number {
    const known = this.#known[row];
    return Number.isNaN(known) ? this.#known[row] = this.#compute(row) : known;
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let row = 0; row < this.length; row++) yield this.at(row);
  }
}
