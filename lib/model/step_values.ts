/** Reads the results of a training step. @module */
import type { TensorStore } from "../layer/store.ts";
import type { ModelShape } from "./config.ts";
import type { StepValues } from "./step.ts";
import { moePrefix, partPrefix } from "./tensors.ts";

/** Losses, loads and the norm of the gradients, after a step on an engine that computes. */
export function stepValues(shape: ModelShape, store: TensorStore): StepValues {
  const { layers, tokens, microbatches, topology: { ranks } } = shape;
  const crossEntropy = summed([...store.read("loss")], ranks).map((sum) =>
    sum / (microbatches * tokens)
  );
  const prefixes = layers.flatMap((block, index) => "moe" in block ? [moePrefix(index)] : []);
  const parts = Array.from({ length: microbatches }, (_, part) => partPrefix(shape, part));
  const auxLoss = prefixes.map((prefix) =>
    added(parts.map((part) => [...store.read(`${part}${prefix}aux_loss`)]))
  );
  // in the total each is part of a mean over ranks, layers and microbatches, whose factor its weight holds
  const weighted = auxLoss.flat();
  const times = ranks * auxLoss.length;
  return {
    crossEntropy,
    auxLoss: auxLoss.map((list) => list.map((value) => times * value)),
    loss: mean(crossEntropy) + weighted.reduce((sum, value) => sum + value, 0),
    gradNorm: store.read("optimizer.clip")[0],
    loads: prefixes.map((prefix) =>
      Int32Array.from(added(parts.map((part) => [...store.read(`${part}${prefix}gate.loads`)])))
    ),
  };
}

/** Sums of lists of equal length, place by place. */
const added = (lists: readonly (readonly number[])[]): number[] =>
  lists[0].map((_, i) => lists.reduce((sum, list) => sum + list[i], 0));

/** Sums of equal parts of a list. */
function summed(list: readonly number[], parts: number): number[] {
  const each = list.length / parts;
  return Array.from(
    { length: parts },
    (_, part) => list.slice(part * each, (part + 1) * each).reduce((a, b) => a + b, 0),
  );
}

export const mean = (list: readonly number[]): number =>
  list.reduce((a, b) => a + b, 0) / list.length;
