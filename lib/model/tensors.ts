/** The tensors of a model: parameters, their gradients, states of the optimizer, tokens and losses. @module */
import { codedRoom, type Half } from "../graph/mod.ts";
import { elements, layerTensors, type Tensor, TensorTable } from "../memory/mod.ts";
import type { ModelShape } from "./config.ts";

/** A dense parameter, the same on all ranks. */
export interface DenseParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Elements before it in the gradient of its group. */
  readonly first: number;
  readonly count: number;
  readonly decayed: boolean;
}

/** Dense parameters whose gradients lie side by side, so that they are reduced together. */
export interface DenseGroup {
  /** `embedding`, `blocks.0` or `head`. */
  readonly name: string;
  readonly parameters: readonly DenseParameter[];
  readonly count: number;
}

/** Begins the names of what codecs of gradients lost. */
export const LOST = "lost.";

/** What the codec of a half of an all-reduce lost of a piece of a group: of gradients, or of their sums. */
export const lostName = (half: Half, { name }: DenseGroup, piece: number): string =>
  `${LOST}${half === "reduceScatter" ? "" : "sums."}${name}.${piece}`;

/** Pieces of a group's gradients that are reduced apart, without empty ones. */
export function piecesOf(
  { gradientChunks }: Pick<ModelShape, "gradientChunks">,
  { count: all }: DenseGroup,
): { piece: number; begin: number; count: number }[] {
  const bound = (piece: number) => Math.floor(all * piece / gradientChunks);
  return Array.from({ length: gradientChunks }, (_, piece) => ({
    ...{ piece, begin: bound(piece), count: bound(piece + 1) - bound(piece) },
  })).filter(({ count }) => count > 0);
}

/** Where the gradient of a parameter lies. */
export interface GradientPlace {
  readonly tensor: string;
  readonly first: number;
  readonly count: number;
}

/** Tensors of a model by name, and the groups of the dense ones. */
export interface ModelTensors {
  readonly table: TensorTable;
  readonly groups: readonly DenseGroup[];
  /** By name of the parameter. */
  readonly gradients: ReadonlyMap<string, GradientPlace>;
}

/** Name of the float32 values of which a bfloat16 parameter is the rounding. */
export const masterOf = (parameter: string): string => `optimizer.${parameter}.master`;

/** Prefix of the tensors of a Mixture-of-Experts layer. */
export const moePrefix = (block: number): string => `blocks.${block}.moe.`;

/** Tensors that a layer of a model shares with its neighbours. */
export const MOE_ENDS: readonly string[] = ["x", "y", "dy", "grad.x"];

/** Tensors of a layer that are read after a step, of each microbatch. */
const MOE_VALUES: readonly string[] = ["aux_loss", "gate.loads"];

/** A layer's inputs beside those that its neighbours make: numbers of its tokens, noise, padding. */
const ofMicrobatch = (name: string, { life }: Tensor): boolean =>
  MOE_VALUES.includes(name) || (life === "input" && !MOE_ENDS.includes(name));

/** Begins the names of what belongs to one microbatch; "" for the last, whose gradients are the sums. */
export const partPrefix = ({ microbatches }: ModelShape, part: number): string =>
  part === microbatches - 1 ? "" : `m${part}.`;

interface Started {
  readonly name: string;
  readonly shape: readonly number[];
  readonly deviation?: number;
  readonly constant?: number;
  readonly decayed?: boolean;
  /** Float32 in every model. */
  readonly exact?: boolean;
}

/** All tensors of a model; gradients of dense parameters are parts of `grad.` and the name of their group. */
export function modelTensors(model: ModelShape): ModelTensors {
  const { topology: { ranks }, tokens, microbatches } = model;
  const table = new TensorTable(ranks);
  const groups = denseGroups(model);
  const gradients = new Map<string, GradientPlace>();
  /** Adds a parameter, its states and, where it is bfloat16, its master. */
  const parameter = (name: string, tensor: Tensor) => {
    const { shape, placement, copies, dtype, ...start } = tensor;
    const { deviation, constant } = start;
    const begins = constant === undefined ? { deviation } : { constant };
    const state = {
      shape,
      placement,
      dtype: "float32" as const,
      life: "state" as const,
      ...(copies ? { copies } : {}),
    };
    if (dtype === "bfloat16") {
      table.add(name, { ...tensor, roundOf: masterOf(name) });
      table.add(masterOf(name), { ...state, ...begins, like: name });
    } else table.add(name, tensor);
    for (const of of model.optimizer.states) {
      table.add(`optimizer.${name}.${of}`, { ...state, constant: 0 });
    }
  };
  for (const { group, started } of groups) {
    for (const { name, shape, deviation, constant, exact = false } of started) {
      parameter(name, {
        shape,
        dtype: exact ? "float32" : model.dtype,
        placement: "same",
        life: "parameter",
        ...(constant === undefined ? { deviation } : { constant }),
      });
    }
    const tensor = `grad.${group.name}`;
    const same = { dtype: "float32", placement: "same" } as const;
    table.add(tensor, { shape: [group.count], ...same, life: "gradient" });
    for (const half of ranks > 1 ? Object.keys(model.gradientCodec) as Half[] : []) {
      for (const { piece, count } of piecesOf(model, group)) {
        table.add(lostName(half, group, piece), {
          ...{ shape: [ranks, codedRoom(half, count, ranks)], dtype: "float32" },
          ...{ placement: "split", life: "state", constant: 0 },
        });
      }
    }
    for (const { name, first, count } of group.parameters) {
      gradients.set(name, { tensor, first, count });
    }
  }
  for (const [index, block] of model.layers.entries()) {
    if (!("moe" in block)) continue;
    const prefix = moePrefix(index);
    const own = layerTensors(block.moe);
    for (const name of own.names()) {
      if (MOE_ENDS.includes(name)) continue;
      const tensor = own.get(name);
      const started = tensor.life === "parameter"
        ? { ...tensor, ...startOf(name, tensor, model) }
        : tensor;
      if (tensor.life === "parameter") parameter(prefix + name, started);
      else table.add(prefix + name, started);
      if (ofMicrobatch(name, tensor)) {
        for (let part = 0; part < microbatches - 1; part++) {
          table.add(partPrefix(model, part) + prefix + name, started);
        }
      }
      if (tensor.life !== "parameter") continue;
      gradients.set(prefix + name, {
        tensor: `${prefix}grad.${name}`,
        first: 0,
        count: elements(tensor.shape),
      });
    }
  }
  const split = { placement: "split", life: "input" } as const;
  for (const name of ["tokens", "targets"]) {
    table.add(name, { shape: [ranks, microbatches * tokens], dtype: "int32", ...split });
  }
  table.add("loss", {
    shape: [ranks, microbatches],
    dtype: "float32",
    placement: "split",
    life: "output",
  });
  table.add("optimizer.rates", { shape: [3], dtype: "float32", placement: "same", life: "input" });
  table.add("optimizer.clip", { shape: [2], dtype: "float32", placement: "same", life: "output" });
  return { table, groups: groups.map(({ group }) => group), gradients };
}

/** How a layer's own parameters begin: small gates, biases of 0, and what ends in the residuals smaller. */
function startOf(name: string, { shape }: Tensor, model: ModelShape): Partial<Tensor> {
  if (/^(gate|shared|latent)\./.test(name) && name !== "gate.weight") return {};
  if (name === "gate.weight") return { deviation: 0.2 * model.modelDim ** -0.5 };
  if (shape.length === 2) return { constant: 0 };
  const deviation = shape[1] ** -0.5;
  return { deviation: name === "experts.w2" ? deviation * residual(model) : deviation };
}

/** Factor of the two branches added to the residuals in each block. */
const residual = ({ layers }: ModelShape): number => (2 * layers.length) ** -0.5;

function denseGroups(model: ModelShape): { group: DenseGroup; started: readonly Started[] }[] {
  const { vocabulary, context, modelDim: m, tied, positions } = model;
  const { heads, keyValueHeads, headDim } = model.attention;
  const norm = (name: string): Started[] => [
    { name, shape: [m], constant: 1, exact: true },
    ...(model.norm.centered
      ? [{ name: `${name}.bias`, shape: [m], constant: 0, exact: true }]
      : []),
  ];
  const matrix = (name: string, shape: readonly number[], factor = 1): Started => ({
    name,
    shape,
    deviation: factor * shape[0] ** -0.5,
    decayed: true,
  });
  const lists: [string, Started[]][] = [
    ["embedding", [
      { name: "embedding", shape: [vocabulary, m], deviation: 0.02 },
      ...(positions.kind === "added"
        ? [{ name: "positions", shape: [context, m], deviation: 0.02 }]
        : []),
    ]],
  ];
  for (const [index, block] of model.layers.entries()) {
    const of = `blocks.${index}`;
    const attention = `${of}.attention`;
    lists.push([of, [
      ...norm(`${attention}.norm`),
      matrix(`${attention}.q`, [m, heads * headDim]),
      matrix(`${attention}.k`, [m, keyValueHeads * headDim]),
      matrix(`${attention}.v`, [m, keyValueHeads * headDim]),
      matrix(`${attention}.o`, [heads * headDim, m], residual(model)),
      ...norm(`${of}.${"moe" in block ? "moe" : "ffn"}.norm`),
      ...("ffn" in block
        ? block.ffn.expert.parameters({ modelDim: m, hiddenDim: block.ffn.hiddenDim })
          .map(({ name, shape }) =>
            shape.length === 1
              ? { name: `${of}.ffn.${name}`, shape, constant: 0 }
              : matrix(`${of}.ffn.${name}`, shape, name === "w2" ? residual(model) : 1)
          )
        : []),
    ]]);
  }
  lists.push(["head", [...norm("norm"), ...(tied ? [] : [matrix("head", [m, vocabulary])])]]);
  return lists.map(([name, started]) => {
    let first = 0;
    const parameters = started.map(({ name, shape, decayed = false }) => {
      const count = elements(shape);
      first += count;
      return { name, shape, first: first - count, count, decayed };
    });
    return { group: { name, parameters, count: first }, started };
  });
}
