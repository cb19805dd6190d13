/**
 * The tensors of a layer: name, shape, type, placement and life of each. No other file knows how large one is.
 * @module
 */
import type { Layer } from "../blocks/mod.ts";
import { type Life, SchemoeError } from "../types.ts";

/** Type of the elements of a tensor. */
export type TensorType = "float32" | "bfloat16" | "int32";

/** One tensor over all ranks. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: TensorType;
  /** `split`: each rank holds its part of the first dimension; `same`: every rank holds all of it. */
  readonly placement: "same" | "split";
  /** Which part a rank holds of a split tensor with copies; absent: each rank its own, in order. */
  readonly copies?: Copies;
  readonly life: Life;
  /** Standard deviation of the random values that it begins with; absent: it begins without values. */
  readonly deviation?: number;
  /** Value of all its elements at the beginning, instead of random ones. */
  readonly constant?: number;
}

/** A split tensor whose parts lie on several ranks each. */
export interface Copies {
  readonly parts: number;
  /** Number of the part that a rank holds. */
  place(rank: number): number;
}

/** Bytes of an element. */
export const elementSize = (dtype: TensorType): number => dtype === "bfloat16" ? 2 : 4;

/** Number of elements of a shape. */
export const elements = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Tensors by name, in the order in which they were added. */
export class TensorTable {
  readonly #tensors = new Map<string, Tensor>();

  constructor(readonly ranks: number) {}

  /** @throws {SchemoeError} when the name is taken. */
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

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** @throws {SchemoeError} naming the tensors that there are. */
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

  /** Position of a tensor, by which its random values are told from those of others. */
  indexOf(name: string): number {
    return [...this.#tensors.keys()].indexOf(name);
  }

  /** Elements of a tensor on each rank. */
  localElements(name: string): number {
    const { shape, placement, copies } = this.get(name);
    return elements(shape) / (placement === "split" ? copies?.parts ?? this.ranks : 1);
  }

  /** Where a rank's part of a tensor begins in the whole of it. */
  firstElement(name: string, rank: number): number {
    const { placement, copies } = this.get(name);
    return placement === "split" ? (copies?.place(rank) ?? rank) * this.localElements(name) : 0;
  }

  /** Ranks that hold a whole tensor together, the first of those that hold the same. */
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

/** Name of the gradient of the gate's weights, summed over ranks. */
export const GATE_GRADIENT = "grad.gate.weight";

/** Everything of a layer but its rows on their way, which depend on how a pass is split. */
export function layerTensors(layer: Layer): TensorTable {
  const { tokens, modelDim, hiddenDim, experts, topK, dtype, topology: { ranks } } = layer;
  const { groups } = layer;
  const copies = groups.count > 1 ? { copies: { parts: groups.size, place: groups.place } } : {};
  const table = new TensorTable(ranks);
  const activations = [ranks, tokens, modelDim];
  const split = "split" as const;
  table.add("x", { shape: activations, dtype, placement: split, life: "input", deviation: 1 });
  table.add("dy", { shape: activations, dtype, placement: split, life: "input", deviation: 1 });
  table.add("y", { shape: activations, dtype, placement: split, life: "output" });
  table.add("aux_loss", { shape: [ranks], dtype: "float32", placement: split, life: "output" });
  table.add("grad.x", { shape: activations, dtype, placement: split, life: "gradient" });
  const weight = { shape: [experts, modelDim], dtype: "float32", placement: "same" } as const;
  table.add("gate.weight", { ...weight, life: "parameter", deviation: modelDim ** -0.5 });
  table.add(GATE_GRADIENT, { ...weight, life: "gradient" });
  for (const { name, shape } of layer.expert.parameters({ modelDim, hiddenDim })) {
    const whole = [experts, ...shape];
    const deviation = shape[0] ** -0.5;
    table.add(`experts.${name}`, {
      ...{ shape: whole, dtype, placement: split, life: "parameter", deviation, ...copies },
    });
    // gradients of vectors are sums, which stay float32
    const type = shape.length === 1 ? "float32" : dtype;
    table.add(`grad.experts.${name}`, {
      ...{ shape: whole, dtype: type, placement: split, life: "gradient", ...copies },
    });
  }
  const gate = (name: string, shape: readonly number[], type: TensorType, life: Life) =>
    table.add(`gate.${name}`, { shape: [ranks, ...shape], dtype: type, placement: split, life });
  gate("scores", [tokens, experts], "float32", "saved");
  gate("logits", [tokens, experts], "float32", "pass");
  gate("choices", [tokens, topK], "int32", "saved");
  gate("weights", [tokens, topK], "float32", "saved");
  gate("positions", [tokens, topK], "int32", "saved");
  gate("loads", [experts], "int32", "output");
  gate("dWeights", [tokens, topK], "float32", "pass");
  if (ranks > 1) gate("partial", [experts, modelDim], "float32", "pass");
  // what a Program of the gate alone leaves for the layout of the rows
  gate("allLoads", [ranks, experts], "int32", "output");
  gate("largestLoad", [1], "int32", "pass");
  gate("capacity", [1], "int32", "output");
  return table;
}
