/** Reference cases drawn at random: fields of the format in all combinations, and what plain loops make of them. */
import { encodeSafetensors, type Tensor } from "../../lib/files/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { differences, dot, type Tensors } from "../blocks/dense.ts";
import type { CaseFields, CaseGate } from "./gates_fields.ts";
import { reference } from "./gates_reference.ts";

/** Numbers from 0 to 1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = state + 0x6d2b79f5 >>> 0;
    let z = Math.imul(state ^ state >>> 15, 1 | state);
    z = z + Math.imul(z ^ z >>> 7, 61 | z) ^ z;
    return ((z ^ z >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Fields of a case, as a seed has them. */
export function drawFields(seed: number): CaseFields {
  const next = generator(seed);
  const pick = <T>(...of: readonly T[]): T => of[Math.floor(next() * of.length)];
  const maybe = (share: number) => next() < share;
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));

  const kind = pick("token", "token", "token", "token", "hash", "expert", "relu");
  const zeroExperts = kind !== "expert" && maybe(0.25) ? between(1, 3) : 0;
  const experts = between(3, 7);
  const rows = experts + zeroExperts;
  const scores: CaseGate["scores"] = kind === "relu"
    ? "relu"
    : pick("softmax", "sigmoid", "sqrtsoftplus", "softmaxOfChosen");
  const cosine = maybe(0.15);
  const noise = maybe(0.25);
  const divisors = [2, 3, 4, 5].filter((n) => rows % n === 0 && rows / n >= 2);
  const grouped = kind === "token" && divisors.length > 0 && maybe(0.4);
  const groups = grouped ? pick(...divisors) : 1;
  const groupLimit = grouped ? between(1, groups) : 1;
  const open = rows / groups * groupLimit;
  const topK = kind === "relu" ? experts : between(1, Math.min(kind === "token" ? open : rows, 4));
  const ranks = pick(1, 2, 2, 3);
  const selectionBias = kind === "token" && maybe(0.5);
  const given = { ranks, modelDim: between(3, 5), hiddenDim: between(2, 4) };
  const updated = selectionBias && maybe(0.6);
  const quantile = updated && scores === "softmaxOfChosen" && topK < rows;
  // quantile balancing ranks tokens * topK / rows of them
  const tokens = quantile ? rows : between(4, 7);
  const update = quantile
    ? { name: "quantile" as const, ema: pick(0, 0.9) }
    : { name: "sign" as const, rate: 1e-3 };
  const names = [
    ...(kind === "relu" ? [] : ["switch", "globalBatch", "sequence"]),
    ...(kind === "token" || kind === "hash" ? ["gshard"] : []),
    "z",
    "importance",
    ...(noise && topK < rows ? ["load"] : []),
  ].filter(() => maybe(0.4));
  const expert = pick("ffn", "ffn", "llama_ffn", "geglu", "relu2", "clampedSwiglu");
  const capacityFactor = kind === "expert"
    // at least a token for each expert
    ? Math.max(pick(0.5, 1, 1.5), Math.ceil(2 * experts / (tokens * topK)) / 2)
    : pick(0, 0, 0, 1, 1.25, 2);
  return {
    ...given,
    tokens,
    experts,
    topK,
    capacityFactor,
    batchPrioritized: capacityFactor > 0 && kind === "token" && maybe(0.2),
    expert,
    activation: expert === "ffn"
      ? pick("relu", "gelu", "silu")
      : expert === "geglu"
      ? "gelu"
      : expert === "relu2"
      ? "relu"
      : "silu",
    bias: expert === "clampedSwiglu" || expert === "ffn" && maybe(0.5),
    ...(maybe(0.15) ? { latentDim: between(2, 4) } : {}),
    gate: {
      scores,
      bias: maybe(0.25),
      selectionBias,
      groups,
      groupLimit,
      normalize: topK > 1 && maybe(0.5),
      scale: pick(1, 1, 2.5),
      weighs: maybe(0.2) ? "input" : "output",
      hash: kind === "hash",
      choice: kind === "expert" ? "expert" : "token",
      zeroExperts,
      noise,
      cosine,
    },
    ...(maybe(0.4)
      ? {
        shared: {
          hiddenDim: between(2, 5),
          kind: pick("swiglu", "ffn"),
          gate: pick("none", "sigmoid"),
          activation: pick("silu", "gelu", "relu"),
        },
      }
      : {}),
    losses: names.map((name) => ({ name, weight: pick(0.1, 0.5, 2) })),
    ...(updated ? { updates: [update] } : {}),
  };
}

type Shapes = Record<string, readonly number[]>;

/** Learned tensors, and inputs without a gradient. */
function shapesOf(f: CaseFields): { learned: Shapes; given: Shapes } {
  const { ranks, tokens, modelDim: M, hiddenDim: H, experts: E, gate, shared, latentDim } = f;
  const N = E + gate.zeroExperts, R = latentDim ?? M, width = 3;
  const gated = ["llama_ffn", "geglu", "clampedSwiglu"].includes(f.expert);
  return {
    learned: {
      ...(gate.cosine
        ? { "gate.projection": [M, width], "gate.embedding": [N, width], "gate.temperature": [1] }
        : { "gate.weight": [N, M] }),
      ...(gate.bias ? { "gate.bias": [N] } : {}),
      ...(gate.noise ? { "gate.noiseWeight": [N, M] } : {}),
      ...(latentDim ? { "latent.down": [M, R], "latent.up": [R, M] } : {}),
      "experts.w1": [E, R, H],
      ...(f.bias ? { "experts.b1": [E, H] } : {}),
      ...(gated ? { "experts.w3": [E, R, H] } : {}),
      ...(gated && f.bias ? { "experts.b3": [E, H] } : {}),
      "experts.w2": [E, H, R],
      ...(f.bias ? { "experts.b2": [E, R] } : {}),
      ...(shared
        ? {
          "shared.w1": [M, shared.hiddenDim],
          ...(shared.kind === "swiglu" ? { "shared.w3": [M, shared.hiddenDim] } : {}),
          "shared.w2": [shared.hiddenDim, M],
          ...(shared.gate === "sigmoid" ? { "shared.gate": [M] } : {}),
        }
        : {}),
    },
    given: {
      dy: [ranks, tokens, M],
      ...(gate.selectionBias ? { "gate.selectionBias": [N] } : {}),
      ...(gate.noise ? { "gate.noise": [ranks, tokens, N] } : {}),
    },
  };
}

const VOCABULARY = 11;
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The smallest gap that a case may have between values that are compared. */
const GAP = 3e-4;

/**
 * The bytes of the case of a seed: inputs in float32, results by loops in float64, gradients as central differences. Values
 * are drawn again until no two that are compared are close.
 */
export function writeCase(
  seed: number,
  fields: CaseFields = drawFields(seed),
): Uint8Array | undefined {
  for (let attempt = 0; attempt < 200; attempt++) {
    const written = attemptCase(fields, 1000 * seed + 50 * attempt + 1, seed);
    if (written) return written;
  }
}

function attemptCase(f: CaseFields, seed: number, number: number): Uint8Array | undefined {
  const { ranks, tokens, modelDim, experts, topK, gate } = f;
  const { learned, given } = shapesOf(f);
  const x: Shapes = { x: [ranks, tokens, modelDim] };
  const floats = Object.fromEntries(
    Object.entries({ ...x, ...given, ...learned }).map(([name, shape], i) => {
      const scale = name === "x" || name === "dy" || name === "gate.noise"
        ? 1
        : name === "gate.selectionBias"
        ? 0.3
        : f.expert === "clampedSwiglu" && /experts.(w1|w3)/.test(name)
        ? 3
        : 0.7;
      const values = randomNormal(size(shape), { seed: seed + i, scale });
      return [name, name === "gate.temperature" ? Float32Array.of(0.6) : values];
    }),
  );
  const next = generator(seed);
  const integers: Record<string, { shape: readonly number[]; data: Int32Array<ArrayBuffer> }> = {};
  if (gate.hash) {
    const table = Array.from({ length: VOCABULARY }, () => {
      const left = Array.from({ length: experts + gate.zeroExperts }, (_, e) => e);
      return Array.from(
        { length: topK },
        () => left.splice(Math.floor(next() * left.length), 1)[0],
      );
    });
    integers["gate.table"] = { shape: [VOCABULARY, topK], data: Int32Array.from(table.flat()) };
    const ids = Array.from({ length: ranks * tokens }, () => Math.floor(next() * VOCABULARY));
    integers.tokenIds = { shape: [ranks, tokens], data: Int32Array.from(ids) };
  }
  const tensors: Tensors = Object.fromEntries([
    ...Object.entries(floats).map(([name, data]) => [name, Float64Array.from(data)]),
    ...Object.entries(integers).map(([name, { data }]) => [name, Float64Array.from(data)]),
  ]);
  const results = reference(f, tensors);
  if (!(results.margin > GAP)) return undefined;
  const names = ["x", ...Object.keys(learned)];
  // the total as a product with one number more than dy has
  const total = (of: Tensors) => {
    const { y, auxLoss } = reference(f, of);
    return Float64Array.of(dot(y, tensors.dy) + auxLoss.reduce((a, b) => a + b, 0));
  };
  const gradients = differences(total, tensors, { dy: Float64Array.of(1), names });
  const float = (shape: readonly number[], data: ArrayLike<number>) => ({
    dtype: "F32" as const,
    shape,
    data: Float32Array.from(data),
  });
  const shapes: Shapes = { ...x, ...given, ...learned };
  const file = new Map<string, Tensor>([
    ...Object.entries(floats).map(([name, data]) => [name, float(shapes[name], data)] as const),
    ...Object.entries(integers).map(([name, of]) =>
      [name, { dtype: "I32" as const, ...of }] as const
    ),
    ["y", float(x.x, results.y)],
    ["aux_loss", float([ranks], results.auxLoss)],
    ...Object.entries(results.losses).map(([name, of]) =>
      [`loss.${name}`, float([ranks], of)] as const
    ),
    ...names.map((name) => [`grad.${name}`, float(shapes[name], gradients[name])] as const),
    ...(results.selectionBias
      ? [
        [
          "update.selectionBias",
          float([results.selectionBias.length], results.selectionBias),
        ] as const,
      ]
      : []),
  ]);
  const config = {
    ...f,
    name: `seed ${number}`,
    normalizeGate: gate.normalize,
    prescore: gate.weighs === "input",
  };
  return encodeSafetensors(file, { config: JSON.stringify(config) });
}
