/** The interface of optimizers. @module */
import type { UpdateViews } from "../../kernels/mod.ts";
import type { Kernel, View } from "../../types.ts";

/** The tensors of one update: `count` elements of a parameter, and its states by name. */
export interface UpdateContext extends UpdateViews {
  /** Name of the parameter. */
  readonly name: string;
  /** Elements of the parameter. */
  readonly count: number;
  /** Whether it is a matrix, and no embedding, norm or bias: weight decay applies to these by default. */
  readonly decayed: boolean;
  /** A state of the optimizer, as large as the parameter. */
  state(name: string): View;
}

/** How parameters follow from gradients. */
export interface Optimizer {
  /** What captions call it. */
  readonly name: string;
  /** float32 tensors beside each parameter, 0 at the beginning. */
  readonly states: readonly string[];
  /** Kernels that change a parameter by its gradient. */
  update(context: UpdateContext): readonly Kernel[];
  /** The numbers {rate, ...} that the kernels of step n = 1, 2, ... read, three in all. */
  rates(rate: number, n: number): readonly [number, number, number];
}
