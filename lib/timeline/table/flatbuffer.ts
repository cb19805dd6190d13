/**
 * Tables of a FlatBuffer (https://flatbuffers.dev/internals/), every position compared with the bytes.
 * @module
 */

/** Bytes that may be damaged; reading beyond them throws a RangeError. */
export class FlatTable {
  readonly #view: DataView;
  readonly #table: number;
  readonly #fields: number;
  readonly #size: number;

  /** The table to which the offset at `at` points. */
  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#table = at + view.getInt32(at, true);
    this.#fields = this.#table - view.getInt32(this.#table, true);
    this.#size = view.getUint16(this.#fields, true);
  }

  /** Position of a field by its number, undefined when it is absent. */
  #at(field: number): number | undefined {
    const slot = 4 + 2 * field;
    if (slot + 2 > this.#size) return undefined;
    const offset = this.#view.getUint16(this.#fields + slot, true);
    return offset === 0 ? undefined : this.#table + offset;
  }

  #read<T>(field: number, read: (at: number) => T, absent: T): T {
    const at = this.#at(field);
    return at === undefined ? absent : read(at);
  }

  byte(field: number): number {
    return this.#read(field, (at) => this.#view.getUint8(at), 0);
  }

  short(field: number): number {
    return this.#read(field, (at) => this.#view.getInt16(at, true), 0);
  }

  int(field: number, absent = 0): number {
    return this.#read(field, (at) => this.#view.getInt32(at, true), absent);
  }

  long(field: number): number {
    return this.#read(field, (at) => Number(this.#view.getBigInt64(at, true)), 0);
  }

  table(field: number): FlatTable | undefined {
    return this.#read<FlatTable | undefined>(
      field,
      (at) => new FlatTable(this.#view, at),
      undefined,
    );
  }

  text(field: number): string {
    const { begin, count } = this.vector(field, 1);
    const { buffer, byteOffset } = this.#view;
    return new TextDecoder().decode(new Uint8Array(buffer, byteOffset + begin, count));
  }

  /** A vector of elements of a size: where it begins, and how many there are, all within the bytes. */
  vector(field: number, size: number): { begin: number; count: number } {
    return this.#read(field, (at) => {
      const begin = at + this.#view.getInt32(at, true);
      const count = this.#view.getInt32(begin, true);
      if (count < 0 || begin + 4 + count * size > this.#view.byteLength) {
        throw new RangeError(`a list of ${count}`);
      }
      return { begin: begin + 4, count };
    }, { begin: 0, count: 0 });
  }

  tables(field: number): FlatTable[] {
    const { begin, count } = this.vector(field, 4);
    return Array.from({ length: count }, (_, i) => new FlatTable(this.#view, begin + 4 * i));
  }

  /** Pairs of 64-bit integers. */
  pairs(field: number): [number, number][] {
    const { begin, count } = this.vector(field, 16);
    return Array.from({ length: count }, (_, i) => {
      const long = (at: number) => Number(this.#view.getBigInt64(at, true));
      return [long(begin + 16 * i), long(begin + 16 * i + 8)];
    });
  }
}
