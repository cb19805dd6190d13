/**
 * The tensors of a layer: name, shape, type, placement and life of each. No other file knows how large one is.
 * @module
 */
import { aLayer, expect } from "../arguments/mod.ts";
import { allTokens, type Layer } from "../blocks/mod.ts";
import { addGateTensors, addRoutingTensors } from "./gate_tensors.ts";
import { addLatentTensors } from "./latent_tensors.ts";
import { addSharedTensors } from "./shared_tensors.ts";
import { TensorTable } from "./tensors.ts";

/** Everything of a layer but its rows on their way, which depend on how a pass is split. */
export function layerTensors(layer: Layer): TensorTable {
  expect("layerTensors", "layer", layer, aLayer);
  const { tokens, modelDim, rowDim, hiddenDim, experts, dtype, topology: { ranks } } = layer;
  const { groups } = layer;
  const copies = groups.count > 1 ? { copies: { parts: groups.size, place: groups.place } } : {};
  const table = new TensorTable(ranks);
  const { rankTokens } = layer;
  const split = "split" as const;
  const activations = rankTokens
    ? { shape: [allTokens(layer), modelDim], counts: rankTokens, dtype, placement: split }
    : { shape: [ranks, tokens, modelDim], dtype, placement: split };
  table.add("x", { ...activations, life: "input", deviation: 1 });
  table.add("dy", { ...activations, life: "input", deviation: 1 });
  table.add("y", { ...activations, life: "output" });
  table.add("aux_loss", { shape: [ranks], dtype: "float32", placement: split, life: "output" });
  table.add("grad.x", { ...activations, life: "gradient" });
  addGateTensors(table, layer);
  for (const { name, shape } of layer.expert.parameters({ modelDim: rowDim, hiddenDim })) {
    const whole = [experts, ...shape];
    const deviation = shape[0] ** -0.5;
    table.add(`experts.${name}`, {
      shape: whole,
      dtype,
      placement: split,
      life: "parameter",
      deviation,
      ...copies,
    });
    // gradients of vectors are sums, which stay float32
    const type = shape.length === 1 ? "float32" : layer.gradientType;
    table.add(`grad.experts.${name}`, {
      shape: whole,
      dtype: type,
      placement: split,
      life: "gradient",
      ...copies,
    });
  }
  addRoutingTensors(table, layer);
  addSharedTensors(table, layer);
  addLatentTensors(table, layer);
  return table;
}
