/** The tensors that gates and losses get to see, and their names for the tasks that use them. @module */
import { allTokens, capacity, type Layer, routedCapacity } from "../blocks/mod.ts";
import { host } from "../kernels/mod.ts";
import { gateTensors, targetsOf } from "../memory/mod.ts";
import type { GateContext } from "../blocks/gates/types.ts";
import type { Loss, LossContext } from "../blocks/losses/types.ts";
import type { View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";

/** Declares the gate's tensors and describes them. */
export function gateContext(g: GraphBuilder, layer: Layer): GateContext {
  const { tokens, modelDim, experts, topK, gateRows: rows, partial } = layer;
  const table = tensorsOf(layer);
  const view = (name: string) => g.tensor(table, name);
  const several = layer.topology.ranks > 1;
  return {
    tokens,
    modelDim,
    experts,
    rows,
    topK,
    k: layer.gate.k,
    dtype: layer.dtype,
    partial,
    prioritized: layer.batchPrioritized,
    capacity: capacityOf(layer),
    x: view("x"),
    scores: view("gate.scores"),
    logits: view("gate.logits"),
    choices: view("gate.choices"),
    targets: view(targetsOf(layer)),
    weights: view("gate.weights"),
    positions: view("gate.positions"),
    loads: view("gate.loads"),
    dWeights: view("gate.dWeights"),
    dLogits: view("gate.dLogits"),
    dx: view("grad.x"),
    accumulate: layer.prescore || layer.shared !== undefined,
    slopes: slopesOf(g, layer),
    ...(layer.gate.padding ? { padding: view("gate.padding") } : {}),
    tensor: (name) => view(`gate.${name}`),
    // this rank's part; one rank alone has the sum
    gradient: (name) => view(several ? `gate.partial.${name}` : `grad.gate.${name}`),
    host,
  };
}

/** Places of an expert, as far as they are known; of a rank with fewer tokens what the gate says for these. */
function capacityOf(layer: Layer): number {
  const { whole = layer, gate } = layer;
  if (!gate.capacity) return routedCapacity(whole) ? 0 : capacity(whole, 0);
  return layer.whole ? gate.capacity({ ...layer, rows: layer.gateRows }) : capacity(layer, 0);
}

function slopesOf(g: GraphBuilder, layer: Layer): GateContext["slopes"] {
  const { losses } = layer;
  const table = tensorsOf(layer);
  const names = ["balance", "importance", "load"] as const;
  const views = names.map((name) => `gate.slopes.${name}`).filter((name) => table.has(name));
  const others = losses.filter(({ name, weight }) => name !== "gshard" && weight !== 0);
  return {
    ...Object.fromEntries(
      views.map((name) => [name.slice("gate.slopes.".length), g.tensor(table, name)]),
    ),
    zWeight: weightOf(losses.filter(({ slopes }) => slopes.includes("z"))),
    ...(layer.gate.fused && others.length === 0 ? { gshard: weightOf(losses) } : {}),
  };
}

const weightOf = (losses: readonly Loss[]): number =>
  losses.reduce((sum, { weight }) => sum + weight, 0);

/** Buffers that the kernels of a gate may name. */
export function gateUses(layer: Layer, c: GateContext, pass: "forward" | "backward"): View[] {
  const own = gateTensors(layer).map(({ name }) => c.tensor(name));
  const { x, scores, logits, choices, targets, weights, positions, loads, slopes } = c;
  const left = [slopes.balance, slopes.importance, slopes.load].filter((view) =>
    view !== undefined
  );
  const both = [...own, x, scores, logits, choices, targets, weights, positions, loads, ...left];
  if (pass === "forward") return both;
  const gradients = gateTensors(layer).filter(({ life }) => life === "parameter");
  return [...both, ...gradients.map(({ name }) => c.gradient(name)), c.dWeights, c.dLogits, c.dx];
}

/** Ranks that have tokens. */
export const busyRanks = ({ whole, rankTokens = whole?.rankTokens, topology }: Layer): number =>
  rankTokens?.filter((count) => count > 0).length ?? topology.ranks;

/** Declares a loss's tensors and describes them. */
export function lossContext(g: GraphBuilder, layer: Layer, loss: Loss): LossContext {
  const table = tensorsOf(layer);
  const c = gateContext(g, layer);
  const view = (name: string) => g.tensor(table, name);
  const { ranks } = layer.topology;
  const summed = loss.global && ranks > 1;
  return {
    ...c,
    // so that tokens times ranks are the tokens of all
    ranks: !loss.global ? 1 : layer.whole ? allTokens(layer.whole) / layer.tokens : ranks,
    busyRanks: busyRanks(layer),
    weight: loss.weight,
    kind: layer.gate.scores!,
    counts: view(`loss.${loss.name}.${summed ? "sums" : "counts"}`),
    loss: view(`loss.${loss.name}`),
    total: view("aux_loss"),
    tensor: (name) => view(`loss.${loss.name}.${name}`),
    gateTensor: c.tensor,
  };
}

/** Buffers that the kernels of a loss may name, besides the gate's. */
export const lossUses = (layer: Layer, loss: Loss, c: LossContext): View[] => [
  ...[c.counts, c.loss, c.total],
  ...lossTensors(layer, loss, c),
];

/** Those of its own tensors. */
export function lossTensors(layer: Layer, loss: Loss, c: LossContext): View[] {
  const own = loss.tensors?.({ ...layer, rows: layer.gateRows, k: layer.gate.k }) ?? [];
  return own.map(({ name }) => c.tensor(name));
}
