/** Reads the results of a training step. @module */
import type { TensorStore } from "../layer/store.ts";
import type { ModelShape } from "./config.ts";
import type { StepValues } from "./step.ts";
import { moePrefix } from "./tensors.ts";

/** Losses, loads and the norm of the gradients, after a step on an engine that computes. */
export function stepValues(shape: ModelShape, store: TensorStore): StepValues {
  const { layers, tokens, topology: { ranks } } = shape;
  const crossEntropy = [...store.read("loss")].map((sum) => sum / tokens);
  const prefixes = layers.flatMap((block, index) => "moe" in block ? [moePrefix(index)] : []);
  const auxLoss = prefixes.map((prefix) => [...store.read(`${prefix}aux_loss`)]);
  // in the total each is part of a mean over ranks and layers, whose factor its weight holds
  const weighted = auxLoss.flat();
  const times = ranks * auxLoss.length;
  return {
    crossEntropy,
    auxLoss: auxLoss.map((list) => list.map((value) => times * value)),
    loss: mean(crossEntropy) + weighted.reduce((sum, value) => sum + value, 0),
    gradNorm: store.read("optimizer.clip")[0],
    loads: prefixes.map((prefix) =>
      store.read(`${prefix}gate.loads`) as ArrayBufferView as Int32Array<ArrayBuffer>
    ),
  };
}

export const mean = (list: readonly number[]): number =>
  list.reduce((a, b) => a + b, 0) / list.length;
