/** Parts of a step that no routing changes. @module */
import type { Segment } from "../graph/mod.ts";
import type { Task } from "../types.ts";
import { SquareSums } from "./parts.ts";
import type { ModelTensors } from "./tensors.ts";

/** Segments one after another, and which of their tasks sum squares of gradients. */
export interface StepPart {
  readonly segments: readonly Segment[];
  readonly squares: readonly Task[];
}

/**
 * What all graphs of a model's steps have in common, each part made once: steps of dropless layers are new graphs every
 * time, in which attention, head, reductions and updates are those of the step before.
 */
export class StepParts {
  /** Where sums of squares lie. */
  readonly sums: SquareSums;
  readonly #made = new Map<string, StepPart>();

  constructor(readonly tensors: ModelTensors) {
    this.sums = new SquareSums(tensors);
  }

  /** The part of that name; `make` is called the first time. */
  get(name: string, make: () => StepPart): StepPart {
    let made = this.#made.get(name);
    if (!made) this.#made.set(name, made = make());
    return made;
  }
}
