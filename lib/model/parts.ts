/** Shared by the parts of a step: builders, names of buffers, and places of dense parameters and gradients. @module */
import {
  addAllReduce,
  addCodedReduce,
  GraphBuilder,
  type Half,
  type Segment,
} from "../graph/mod.ts";
import { add, fill, sumValues } from "../kernels/mod.ts";
import { type Kernel, SchemoeError, type Task, type View } from "../types.ts";
import type { ElementType, Matrix } from "../kernels/types.ts";
import type { ModelShape } from "./config.ts";
import { elementSize } from "../memory/mod.ts";
import { type DenseGroup, lostName, type ModelTensors, partPrefix, piecesOf } from "./tensors.ts";

/** Bytes of a float32. */
export const WORD = 4;

/** A matrix in a buffer; float32 without `dtype`. */
export const matrix = (
  { buffer, offset, dtype }: View & { readonly dtype?: ElementType },
  rows: number,
  columns: number,
): Matrix => ({
  buffer,
  offset,
  ...(dtype === undefined || dtype === "float32" ? {} : { dtype }),
  rows,
  columns,
  ld: columns,
  groups: 1,
  stride: rows * columns,
});

/** A task of a part: its kernels, buffers and operation counts. */
export interface Work {
  readonly label: string;
  readonly kernels: readonly Kernel[];
  /** Those of a rank where they differ; they name no other buffers. */
  readonly kernelsOf?: (rank: number) => readonly Kernel[];
  readonly after?: readonly Task[];
  readonly flops?: number;
  readonly kind?: Task["kind"];
  readonly stage?: number;
  /** Elements of activations that it reads and writes. */
  readonly words?: number;
  /** Bytes of anything else. */
  readonly bytes?: number;
}

/** Which segment of a step it is. */
export interface PartPlace {
  readonly prefix: string;
  readonly layer: number;
  readonly pass: Task["pass"];
  /** Number of the microbatch. */
  readonly microbatch: number;
}

/** One segment of a step being made; its buffers have whole names. */
export class Part {
  readonly g: GraphBuilder;
  readonly #whole = new Set<string>();

  constructor(
    readonly model: ModelShape,
    readonly tensors: ModelTensors,
    readonly at: PartPlace,
  ) {
    this.g = new GraphBuilder(model.topology, at.pass, 0, at.layer);
  }

  /** A buffer within the step, of float32, of this microbatch. */
  floats(name: string, elements: number): View {
    const prefix = partPrefix(this.model, this.at.microbatch);
    return this.#buffer(prefix + name, WORD * elements);
  }

  /** The same of the model's type, as rows. */
  rows(name: string, columns: number, rows = this.model.tokens): Matrix {
    const { dtype } = this.model;
    const prefix = partPrefix(this.model, this.at.microbatch);
    const view = this.#buffer(prefix + name, elementSize(dtype) * rows * columns);
    return matrix({ ...view, dtype }, rows, columns);
  }

  /** Some of these rows. */
  rowsOf(whole: Matrix, first: number, rows: number): Matrix {
    const offset = whole.offset + elementSize(this.model.dtype) * first * whole.columns;
    return matrix({ ...whole, offset }, rows, whole.columns);
  }

  /** Where this microbatch's tokens or targets begin. */
  input(name: "tokens" | "targets"): View {
    const { tokens } = this.model;
    return { ...this.tensor(name), offset: WORD * tokens * this.at.microbatch };
  }

  /** Where the sum of this microbatch's cross entropies goes. */
  lossSum(): View {
    return { ...this.tensor("loss"), offset: WORD * this.at.microbatch };
  }

  tensor(name: string): View {
    this.#whole.add(name);
    return this.g.tensor(this.tensors.table, name);
  }

  /** A buffer by its name in the whole step. */
  #buffer(name: string, bytes: number): View {
    this.#whole.add(name);
    return this.g.buffer(name, bytes, "pass");
  }

  /** A parameter as a matrix, vectors being one row. */
  parameter(name: string): Matrix {
    const { shape, dtype } = this.tensors.table.get(name);
    const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
    return matrix({ ...this.tensor(name), dtype: dtype as ElementType }, rows, columns);
  }

  group(name: string): DenseGroup {
    const found = this.tensors.groups.find((group) => group.name === name);
    if (!found) throw new SchemoeError(`Cannot build the step: there is no group "${name}"`);
    return found;
  }

  /** This rank's part of the gradient of a group: the gradient itself where there is one rank and one microbatch. */
  partial({ name, count }: DenseGroup): View {
    const { topology: { ranks }, microbatches } = this.model;
    return ranks > 1 || microbatches > 1
      ? this.floats(`partial.${name}`, count)
      : this.tensor(`grad.${name}`);
  }

  /** The same of one parameter. */
  gradient(group: DenseGroup, name: string): Matrix {
    const found = group.parameters.find((parameter) => parameter.name === name);
    if (!found) throw new SchemoeError(`Cannot build the step: no gradient of "${name}"`);
    const { shape, first } = found;
    const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
    return matrix({ buffer: this.partial(group).buffer, offset: WORD * first }, rows, columns);
  }

  /** Adds a task; it uses the buffers that its kernels name. */
  work(work: Work): Task {
    const { label, kernels, after = [], flops, words = 0, kind = "opaque", stage = 0 } = work;
    const { bytes = 0 } = work;
    const uses = kernels.flatMap(({ args }) =>
      args.flatMap((arg) => typeof arg === "object" && arg.buffer !== "" ? [arg.buffer] : [])
    );
    return this.g.add({
      kind,
      label,
      chunk: -1,
      stage,
      after,
      flops,
      bytes: bytes + elementSize(this.model.dtype) * words,
      uses,
      kernels: work.kernelsOf ?? (() => kernels),
    });
  }

  /** Adds the sum over the microbatches before, of a group's gradient, to that of this one. */
  addPartials(group: DenseGroup): Task {
    const { at: { microbatch }, model } = this;
    const before = this.#buffer(
      `${partPrefix(model, microbatch - 1)}partial.${group.name}`,
      WORD * group.count,
    );
    const own = this.partial(group);
    const alone = model.topology.ranks === 1 && microbatch === model.microbatches - 1;
    const out = alone ? this.tensor(`grad.${group.name}`) : own;
    const kernels = [add(group.count, before, own, out)];
    return this.work({ label: "sum", bytes: 3 * WORD * group.count, kernels });
  }

  /** The same for gradients that are tensors of a layer. */
  addGradients(names: readonly string[]): Task {
    const { tensors: { table }, at: { microbatch }, model } = this;
    let words = 0;
    const kernels = names.map((name) => {
      const count = table.localElements(name);
      words += 3 * count;
      const of = (part: number): View => {
        const prefix = partPrefix(model, part);
        return prefix === "" ? this.tensor(name) : this.#buffer(prefix + name, WORD * count);
      };
      return add(count, of(microbatch - 1), of(microbatch), of(microbatch));
    });
    return this.work({ label: "sum", bytes: WORD * words, kernels });
  }

  /** Sums the gradient of a group over all ranks, in pieces; returns the tasks after which it is complete. */
  reduce(group: DenseGroup, after: readonly Task[]): readonly Task[] {
    const { topology: { ranks }, gradientCodec: codecs } = this.model;
    if (ranks === 1) return after;
    const part = this.partial(group), sum = this.tensor(`grad.${group.name}`);
    const done: Task[] = [];
    const halves = Object.keys(codecs) as Half[];
    const steps = 3 + halves.length;
    for (const { piece, begin, count } of piecesOf(this.model, group)) {
      const at = (view: View): View => ({ ...view, offset: WORD * begin });
      const place = { name: `grad[${piece}]`, stage: 1 + steps * piece, chunk: -1, after };
      const of = { part: at(part), sum: at(sum), count };
      if (halves.length === 0) {
        done.push(addAllReduce(this.g, place, of));
        continue;
      }
      const lost = Object.fromEntries(
        halves.map((half) => [half, this.tensor(lostName(half, group, piece))]),
      );
      done.push(addCodedReduce(this.g, place, { ...of, codecs, lost }));
    }
    return done;
  }

  segment(exits: readonly Task[], options: Partial<Segment> = {}): Segment {
    const { prefix, layer } = this.at;
    const graph = this.g.build({});
    // what reductions put aside has no whole name of its own
    const aside = Object.keys(graph.buffers).filter((name) => !this.#whole.has(name));
    return {
      graph,
      layer,
      prefix,
      buffers: "",
      exits,
      shared: Object.fromEntries(aside.map((name) => [name, prefix + name])),
      ...options,
    };
  }
}

/** Where the sums of squares lie of which the norm is the root: of dense gradients and gates, then of experts. */
export class SquareSums {
  readonly #same: string[] = [];
  readonly #split: string[] = [];

  constructor({ groups, table }: ModelTensors) {
    this.#same.push(...groups.map(({ name }) => `grad.${name}`));
    for (const name of table.names("gradient")) {
      if (this.#same.includes(name)) continue;
      (table.get(name).placement === "same" ? this.#same : this.#split).push(name);
    }
  }

  get count(): number {
    return this.#same.length + this.#split.length;
  }

  /** How many come first, which are the same on all ranks, and how many need a sum over ranks. */
  get same(): number {
    return this.#same.length;
  }
  get split(): number {
    return this.#split.length;
  }

  /** Kernel that sums the squares of a gradient. */
  kernel(part: Part, name: string): Kernel {
    const { table } = part.tensors;
    const whole = part.floats("norm.sums", this.count);
    const same = this.#same.indexOf(name);
    const several = part.model.topology.ranks > 1;
    const apart = several ? part.floats("norm.part", Math.max(1, this.split)) : whole;
    const at = this.#split.indexOf(name) + (several ? 0 : this.same);
    const out: View = same >= 0
      ? { ...whole, offset: WORD * same }
      : { ...apart, offset: WORD * at };
    return sumValues({
      squares: true,
      count: table.localElements(name),
      x: part.tensor(name),
      out,
    });
  }

  /** The same on a rank: 0 where another rank holds the same, so that each expert counts once. */
  kernelOn(rank: number, part: Part, name: string): Kernel {
    const kernel = this.kernel(part, name);
    const { table } = part.tensors;
    if (!table.get(name).copies || table.holders(name).includes(rank)) return kernel;
    return fill(1, kernel.args.findLast((arg) => typeof arg === "object")!, 0);
  }
}
