/** What completes the gradients of a step: sums over microbatches, reductions over ranks, and their squares. @module */
import type { Segment } from "../graph/mod.ts";
import { layerTensors } from "../memory/mod.ts";
import type { Task } from "../types.ts";
import type { ModelShape } from "./config.ts";
import type { Part } from "./parts.ts";
import type { StepParts } from "./step_parts.ts";
import { moePrefix } from "./tensors.ts";
import { addSquares } from "./update.ts";

/** The graph that they are added to. */
interface SumsOf {
  readonly model: ModelShape;
  readonly parts: StepParts;
  /** A new part in the microbatch that is being added. */
  readonly part: (prefix: string, layer: number, pass: Task["pass"]) => Part;
  readonly push: (segment: Segment) => void;
}

/** Where a sum is in the graph. */
interface SumAt {
  /** What it waits for. */
  readonly after: readonly Task[];
  /** What follows waits for these alone. */
  readonly exits: readonly Task[];
}

/** Adds them to a graph, microbatch after microbatch. */
export class GradientSums {
  readonly #of: SumsOf;
  /** Tasks that sum squares, which the norm waits for. */
  squares: Task[] = [];
  /** What completes the sums of the microbatch before, by group or layer. */
  readonly #added = new Map<string, readonly Task[]>();

  constructor(of: SumsOf) {
    this.#of = of;
  }

  /** Ends a part that leaves the gradient of a group; what follows waits for `next` alone. */
  complete(part: Part, group: string, after: readonly Task[], next: Task): void {
    const { model: { microbatches }, push } = this.#of;
    const { prefix, layer, microbatch } = part.at;
    const last = microbatch === microbatches - 1;
    let done = after;
    if (microbatches === 1) done = part.reduce(part.group(group), after);
    push(part.segment([next]));
    if (microbatches > 1 && microbatch > 0) {
      const sums = this.#of.part(`${group}.sum.`, layer, "backward");
      done = [sums.addPartials(sums.group(group))];
      if (last) done = sums.reduce(sums.group(group), done);
      this.#addSum(group, sums, { after, exits: [next] });
    }
    this.#added.set(group, done);
    if (!last) return;
    this.#addSquares(prefix, layer, [`grad.${group}`], { after: done, exits: [next] });
  }

  /** The same for the gradients of a Mixture-of-Experts layer. */
  completeExperts(index: number, microbatch: number, at: SumAt): void {
    const { layers, microbatches } = this.#of.model;
    const block = layers[index];
    if (!("moe" in block)) throw new Error(`block ${index} has no experts`);
    const names = layerTensors(block.moe).names("parameter")
      .map((name) => `${moePrefix(index)}grad.${name}`);
    let done = at.after;
    if (microbatch > 0) {
      const sums = this.#of.part(`B${index}.moe.sum.`, index, "backward");
      done = [sums.addGradients(names)];
      this.#addSum(moePrefix(index), sums, at);
    }
    this.#added.set(moePrefix(index), done);
    if (microbatch < microbatches - 1) return;
    this.#addSquares(`B${index}.moe.`, index, names, { ...at, after: done });
  }

  /** Adds the segment of a sum over microbatches: it waits for its own and for the sum before. */
  #addSum(key: string, part: Part, { after, exits }: SumAt): void {
    const before = this.#added.get(key) ?? [];
    this.#of.push(part.segment(exits, { after: [...after, ...before] }));
  }

  #addSquares(
    prefix: string,
    layer: number,
    names: readonly string[],
    { after, exits }: SumAt,
  ): void {
    const { parts, push } = this.#of;
    const { segments: [norm], squares } = parts.get(`${prefix}norm.`, () => {
      const part = this.#of.part(`${prefix}norm.`, layer, "step");
      const task = addSquares(part, parts.sums, names);
      return { segments: [part.segment([])], squares: [task] };
    });
    this.squares.push(...squares);
    push({ ...norm, exits, after });
  }
}
