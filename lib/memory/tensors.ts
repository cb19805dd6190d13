/** Tensors by name: shape, type, placement and life of each. @module */
import { aSize, expect, numbersOf, oneOf } from "../arguments/mod.ts";
import { type Life, SchemoeError } from "../types.ts";

const ELEMENTS_SHAPE = numbersOf(aSize);
const ELEMENT_SIZE_DTYPE = oneOf(["float32", "bfloat16", "int32"]);

/** Type of the elements of a tensor. */
export type TensorType = "float32" | "bfloat16" | "int32";

/** One tensor over all ranks. */
export interface Tensor {
  /** Sizes of its dimensions over all ranks, row-major. */
  readonly shape: readonly number[];
  /** Type of its elements. */
  readonly dtype: TensorType;
  /** `split`: each rank holds its part of the first dimension; `same`: every rank holds all of it. */
  readonly placement: "same" | "split";
  /** Which part a rank holds of a split tensor with copies; absent: each rank its own, in order. */
  readonly copies?: Copies;
  /** Rows of each rank of a split tensor whose ranks differ in them; absent: equal parts. */
  readonly counts?: readonly number[];
  /** How long its values are needed. */
  readonly life: Life;
  /** Standard deviation of the random values that it begins with; absent: it begins without values. */
  readonly deviation?: number;
  /** Value of all its elements at the beginning, instead of random ones. */
  readonly constant?: number;
  /** Name of the tensor whose random sequence it has; default its own. */
  readonly like?: string;
  /** Name of the float32 tensor of which it begins as the values rounded to bfloat16. */
  readonly roundOf?: string;
}

/** A split tensor whose parts lie on several ranks each. */
export interface Copies {
  /** Number of different parts. */
  readonly parts: number;
  /** Number of the part that a rank holds. */
  place(rank: number): number;
}

/** Bytes of an element. */
export function elementSize(dtype: TensorType): number {
  expect("elementSize", "dtype", dtype, ELEMENT_SIZE_DTYPE);
  return dtype === "bfloat16" ? 2 : 4;
}

/** Number of elements of a shape. */
export function elements(shape: readonly number[]): number {
  expect("elements", "shape", shape, ELEMENTS_SHAPE);
  return shape.reduce((a, b) => a * b, 1);
}

/** Tensors by name, in the order in which they were added. */
export class TensorTable {
  readonly #tensors = new Map<string, Tensor>();

  /** An empty table for a world of so many ranks. */
  constructor(readonly ranks: number) {}

  /**
   * Adds a tensor under a name; returns the table.
   * @throws {SchemoeError} when the name is taken.
   */
  add(name: string, tensor: Tensor): this {
    if (this.#tensors.has(name)) {
      throw new SchemoeError(`Cannot add the tensor "${name}": there is one of that name`);
    }
    this.#tensors.set(name, tensor);
    return this;
  }

  /** Adds all tensors of another table, each name behind a prefix. */
  addAll(other: TensorTable, rename: (name: string, tensor: Tensor) => string | undefined): this {
    for (const [name, tensor] of other.#tensors) {
      const renamed = rename(name, tensor);
      if (renamed !== undefined) this.add(renamed, tensor);
    }
    return this;
  }

  /** Whether there is a tensor of this name. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /**
   * The tensor of this name.
   * @throws {SchemoeError} naming the known tensors.
   */
  get(name: string): Tensor {
    const found = this.#tensors.get(name);
    if (found) return found;
    throw new SchemoeError(
      `There is no tensor "${name}": the names are ${[...this.#tensors.keys()].join(", ")}`,
    );
  }

  /** Names of the tensors of some lives, or of all. */
  names(...lives: readonly Life[]): string[] {
    return [...this.#tensors].filter(([, { life }]) => lives.length === 0 || lives.includes(life))
      .map(([name]) => name);
  }

  /** Position of a tensor, which selects its random sequence. */
  indexOf(name: string): number {
    return [...this.#tensors.keys()].indexOf(name);
  }

  /** Elements of a tensor on each rank, or on the one with most. */
  localElements(name: string): number {
    const { shape, placement, copies, counts } = this.get(name);
    if (counts) return Math.max(...counts) * elements(shape.slice(1));
    return elements(shape) / (placement === "split" ? copies?.parts ?? this.ranks : 1);
  }

  /** Elements of a tensor on a rank. */
  elementsOn(name: string, rank: number): number {
    const { shape, counts } = this.get(name);
    return counts ? counts[rank] * elements(shape.slice(1)) : this.localElements(name);
  }

  /** Where a rank's part of a tensor begins in the whole of it. */
  firstElement(name: string, rank: number): number {
    const { shape, placement, copies, counts } = this.get(name);
    if (counts) {
      return counts.slice(0, rank).reduce((a, b) => a + b, 0) * elements(shape.slice(1));
    }
    return placement === "split" ? (copies?.place(rank) ?? rank) * this.localElements(name) : 0;
  }

  /** Ranks that hold a whole tensor together, the first ones among replicas. */
  holders(name: string): number[] {
    const { placement, copies } = this.get(name);
    const all = Array.from({ length: this.ranks }, (_, rank) => rank);
    if (placement === "same") return [0];
    if (!copies) return all;
    const seen = new Set<number>();
    return all.filter((rank) => !seen.has(copies.place(rank)) && seen.add(copies.place(rank)));
  }

  /** Bytes of a tensor on each rank. */
  localBytes(name: string): number {
    return elementSize(this.get(name).dtype) * this.localElements(name);
  }
}
