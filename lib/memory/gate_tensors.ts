/** The tensors of a gate and of the losses on its routing. @module */
import { aLayer, expect, record } from "../arguments/mod.ts";
import { allTokens, type Layer, ofRank } from "../blocks/mod.ts";
import type { GateTensor } from "../blocks/gates/types.ts";
import type { Life } from "../types.ts";
import type { RowsOf } from "./rows.ts";
import type { TensorTable, TensorType } from "./tensors.ts";

const ROW_CHOICES_OF_OF = record("rows of a layer { layer }", { layer: aLayer });

/** Name of the choices of experts that rows go to. */
export function targetsOf(layer: Layer): string {
  expect("targetsOf", "layer", layer, aLayer);
  const { partial } = layer;
  return partial ? "gate.targets" : "gate.choices";
}

/**
 * Names of choices and positions as the rows are laid out by them: those of the gate, or of slots where experts are
 * placed or a padded layer's rows have an extent of their own for each pair of ranks.
 */
export function rowChoicesOf(
  of: Pick<RowsOf, "layer" | "limit">,
): { readonly choices: string; readonly positions: string; readonly own: boolean } {
  expect("rowChoicesOf", "of", of, ROW_CHOICES_OF_OF);
  const { layer, limit } = of;
  return layer.placed || limit !== undefined
    ? { choices: "placed.targets", positions: "placed.positions", own: false }
    : { choices: targetsOf(layer), positions: "gate.positions", own: true };
}

/** A gate's own tensors; by default the weight of its logits. */
export function gateTensors(layer: Layer): readonly GateTensor[] {
  expect("gateTensors", "layer", layer, aLayer);
  const { whole = layer } = layer;
  const shape = { ...layer, rows: layer.gateRows, rankTokens: whole.rankTokens };
  return layer.gate.tensors?.(shape) ?? [
    {
      name: "weight",
      shape: [shape.rows, layer.modelDim],
      life: "parameter",
      deviation: layer.modelDim ** -0.5,
    },
  ];
}

/** Sizes of the table of a gate that chooses by token number, which it reads too; undefined for other gates. */
export function tokenTable(
  layer: Layer,
): { readonly vocabulary: number; readonly k: number } | undefined {
  expect("tokenTable", "layer", layer, aLayer);
  const tensors = new Map(gateTensors(layer).map((tensor) => [tensor.name, tensor]));
  const shape = tensors.has("tokenIds") ? tensors.get("table")?.shape : undefined;
  return shape && { vocabulary: shape[0], k: shape[1] };
}

/** Adds a gate's own tensors, and the gradients of the trained ones. */
export function addGateTensors(table: TensorTable, layer: Layer): void {
  for (const tensor of gateTensors(layer)) {
    addOwn(table, `gate.${tensor.name}`, tensor, rowsOfRanks(layer, tensor));
    if (tensor.life !== "parameter") continue;
    const { shape } = tensor;
    table.add(`grad.gate.${tensor.name}`, {
      shape,
      dtype: "float32",
      placement: "same",
      life: "gradient",
    });
    if (table.ranks > 1) {
      table.add(`gate.partial.${tensor.name}`, {
        shape: [table.ranks, ...shape],
        dtype: "float32",
        placement: "split",
        life: "pass",
      });
    }
  }
}

/** Adds a routing and what losses and updates leave. */
export function addRoutingTensors(table: TensorTable, layer: Layer): void {
  const { tokens, experts, gateRows: rows, topK, losses, topology: { ranks } } = layer;
  const add = (name: string, shape: readonly number[], dtype: TensorType, life: Life) =>
    table.add(name, { shape: [ranks, ...shape], dtype, placement: "split", life });
  add("gate.scores", [tokens, rows], "float32", "saved");
  add("gate.logits", [tokens, rows], "float32", "saved");
  add("gate.dLogits", [tokens, rows], "float32", "pass");
  const { rankTokens } = layer;
  table.add("gate.choices", {
    ...(rankTokens
      ? { shape: [allTokens(layer), topK], counts: rankTokens }
      : { shape: [ranks, tokens, topK] }),
    dtype: "int32",
    placement: "split",
    life: "saved",
  });
  if (layer.partial) add("gate.targets", [tokens, topK], "int32", "saved");
  add("gate.weights", [tokens, topK], "float32", "saved");
  add("gate.positions", [tokens, topK], "int32", "saved");
  add("gate.loads", [rows], "int32", "output");
  add("gate.dWeights", [tokens, topK], "float32", "pass");
  // result of a Program of the gate alone, for the layout of the rows
  add("gate.allLoads", [ranks, experts], "int32", "output");
  add("gate.largestLoad", [1], "int32", "pass");
  add("gate.capacity", [1], "int32", "output");
  for (const slope of ["balance", "importance", "load"] as const) {
    if (losses.some(({ slopes }) => slopes.includes(slope))) {
      add(`gate.slopes.${slope}`, [rows], "float32", "saved");
    }
  }
  for (const loss of losses) {
    table.add(`loss.${loss.name}`, {
      shape: [ranks],
      dtype: "float32",
      placement: "split",
      life: "output",
    });
    add(`loss.${loss.name}.counts`, [rows], "float32", "pass");
    if (loss.global && ranks > 1) add(`loss.${loss.name}.sums`, [rows], "float32", "pass");
    for (const tensor of loss.tensors?.({ ...layer, rows, k: layer.gate.k }) ?? []) {
      addOwn(table, `loss.${loss.name}.${tensor.name}`, tensor);
    }
  }
  if (layer.gate.update) {
    add("gate.update.part", [rows], "float32", "pass");
    if (ranks > 1) add("gate.update.sum", [rows], "float32", "pass");
  }
}

/** Rows of each rank of a gate's tensor, where ranks differ in their tokens and so in them. */
function rowsOfRanks(layer: Layer, { name, shape }: GateTensor): number[] | undefined {
  const { rankTokens } = layer;
  if (!rankTokens) return undefined;
  const rest = shape.slice(1).join();
  const counts: number[] = [];
  for (let rank = 0; rank < rankTokens.length; rank++) {
    const own = gateTensors(ofRank(layer, rank)).find((tensor) => tensor.name === name)?.shape;
    if (own?.slice(1).join() !== rest) return undefined;
    counts.push(own[0]);
  }
  return counts.every((count) => count === shape[0]) ? undefined : counts;
}

/** Adds a tensor that a gate or a loss asks for. */
function addOwn(table: TensorTable, name: string, tensor: GateTensor, counts?: number[]): void {
  const { shape, dtype = "float32", life, deviation, constant } = tensor;
  const same = life === "parameter" || life === "state";
  const begins = same || life === "input";
  const uneven = counts && !same
    ? { shape: [counts.reduce((a, b) => a + b), ...shape.slice(1)], counts }
    : undefined;
  table.add(name, {
    shape: same ? shape : [table.ranks, ...shape],
    ...uneven,
    dtype,
    life,
    placement: same ? "same" : "split",
    ...(deviation !== undefined ? { deviation } : begins ? { constant: constant ?? 0 } : {}),
  });
}
