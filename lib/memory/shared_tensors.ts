/** The tensors of a shared expert. @module */
import { aLayer, expect } from "../arguments/mod.ts";
import type { Layer } from "../blocks/mod.ts";
import type { ParameterShape } from "../blocks/types.ts";
import type { TensorTable } from "./tensors.ts";

/** Its parameters, the weight of its gate among them. */
export function sharedParameters(layer: Layer): readonly ParameterShape[] {
  expect("sharedParameters", "layer", layer, aLayer);
  const { shared, modelDim } = layer;
  if (!shared) return [];
  const { expert, hiddenDim, gate } = shared;
  const own = expert.parameters({ modelDim, hiddenDim });
  return gate === "none" ? own : [...own, { name: "gate", shape: [modelDim] }];
}

/** Adds parameters, gradients and saved activations of a shared expert. */
export function addSharedTensors(table: TensorTable, layer: Layer): void {
  const { shared, tokens, modelDim, dtype } = layer;
  if (!shared) return;
  const { ranks } = table;
  for (const { name, shape } of sharedParameters(layer)) {
    // the gate's product takes float32, as that of the router
    const type = name === "gate" ? "float32" : dtype;
    table.add(`shared.${name}`, {
      shape,
      dtype: type,
      placement: "same",
      life: "parameter",
      deviation: shape[0] ** -0.5,
    });
    // sums over ranks, which are float32
    table.add(`grad.shared.${name}`, {
      shape,
      dtype: "float32",
      placement: "same",
      life: "gradient",
    });
    if (ranks > 1) {
      table.add(`shared.partial.${name}`, {
        shape: [ranks, ...shape],
        dtype: "float32",
        placement: "split",
        life: "pass",
      });
    }
  }
  const rows = (name: string, columns: number, life: "saved" | "pass") =>
    table.add(`shared.${name}`, {
      shape: [ranks, tokens, columns],
      dtype,
      placement: "split",
      life,
    });
  for (const { name, columns, life = "saved" } of saved(layer)) {
    rows(`saved.${name}`, columns, life);
  }
  if (shared.gate === "none") return;
  rows("y", modelDim, "saved");
  rows("dy", modelDim, "pass");
  for (const [name, life] of [["logits", "saved"], ["dLogits", "pass"]] as const) {
    table.add(`shared.${name}`, {
      shape: [ranks, tokens],
      dtype: "float32",
      placement: "split",
      life,
    });
  }
}

/** Rows that it keeps. */
const saved = ({ shared, modelDim }: Layer) =>
  shared!.expert.saved({ modelDim, hiddenDim: shared!.hiddenDim });
