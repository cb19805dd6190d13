/** The tensors of projections around dispatch. @module */
import { aLayer, expect } from "../arguments/mod.ts";
import type { Layer } from "../blocks/mod.ts";
import type { TensorTable } from "./tensors.ts";

/** The projections of a layer with latent rows, by their shapes. */
export function latentParameters(
  layer: Layer,
): readonly { readonly name: "down" | "up"; readonly shape: readonly [number, number] }[] {
  expect("latentParameters", "layer", layer, aLayer);
  const { latentDim, modelDim } = layer;
  if (latentDim === undefined) return [];
  return [
    { name: "down", shape: [modelDim, latentDim] },
    { name: "up", shape: [latentDim, modelDim] },
  ];
}

/** Adds projections, their gradients, and tokens between them. */
export function addLatentTensors(table: TensorTable, layer: Layer): void {
  const { tokens, dtype, latentDim } = layer;
  const { ranks } = table;
  for (const { name, shape } of latentParameters(layer)) {
    table.add(`latent.${name}`, {
      shape,
      dtype,
      placement: "same",
      life: "parameter",
      deviation: shape[0] ** -0.5,
    });
    // sums over ranks, which are float32
    table.add(`grad.latent.${name}`, {
      shape,
      dtype: "float32",
      placement: "same",
      life: "gradient",
    });
    if (ranks > 1) {
      table.add(`latent.partial.${name}`, {
        shape: [ranks, ...shape],
        dtype: "float32",
        placement: "split",
        life: "pass",
      });
    }
  }
  if (latentDim === undefined) return;
  const lives = { x: "saved", y: "saved", dx: "pass", dy: "pass" } as const;
  for (const [name, life] of Object.entries(lives)) {
    table.add(`latent.${name}`, {
      shape: [ranks, tokens, latentDim],
      dtype,
      placement: "split",
      life,
    });
  }
}
