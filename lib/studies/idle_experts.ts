/** Experts that no token chooses, so that a reference case has one for every rank. @module */
import type { GoldenCase } from "./golden_case.ts";
import type { GoldenFields } from "./golden_layer.ts";
import { SchemoeError } from "../types.ts";

/** Columns that tokens get: a 1, whose weights in the gate are those below, and zeros for alignment. */
const COLUMNS = 4;
/** Logit of an idle expert, whose score is exactly 0. */
const NEVER = -1e4;
/** Which dimension of a tensor is modelDim. */
const MODEL_AT: Readonly<Record<string, number>> = {
  x: 2,
  dy: 2,
  "gate.weight": 1,
  "experts.w1": 1,
  "experts.w3": 1,
  "experts.w2": 2,
  "experts.b2": 1,
  "shared.w1": 0,
  "shared.w3": 0,
  "shared.w2": 1,
  "shared.gate": 0,
};
/** Tensors whose first dimension are the experts. */
const OF_EXPERTS = /^(experts\.|gate\.(weight|bias|selectionBias|noiseWeight)$)/;
/** Losses that grow with the number of experts. */
const GROWING = ["gshard", "switch", "globalBatch", "sequence"];

/**
 * The same case so that each rank holds equally many experts: with experts that no token chooses, or, where these would
 * change more than is known, in groups of as many ranks as divide the experts.
 */
export function onEveryRank(golden: GoldenCase, fields: GoldenFields): GoldenCase {
  const { config: { experts }, ranks } = golden;
  if (experts % ranks === 0) return golden;
  if (idleChangesLittle(fields)) return withIdleExperts(golden, Math.ceil(experts / ranks) * ranks);
  return { ...golden, config: { ...golden.config, parallel: { expert: divisor(experts, ranks) } } };
}

/** Whether idle experts change nothing but losses that grow with their number. */
function idleChangesLittle({ gate, losses = [], updates = [], latentDim }: GoldenFields): boolean {
  if (latentDim !== undefined || updates.length > 0) return false;
  if (!losses.every(({ name }) => GROWING.includes(name))) return false;
  if (!gate) return true;
  const { bias, selectionBias, noise, cosine, zeroExperts, groups, choice } = gate;
  return choice === "token" && groups === 1 && zeroExperts === 0 &&
    !(bias || selectionBias || noise || cosine);
}

const divisor = (a: number, b: number): number => b === 0 ? a : divisor(b, a % b);

/**
 * The same case with that many experts, the added ones never chosen: all outputs and
 * gradients stay, the auxiliary loss grows with the number of experts. Results have more columns and
 * experts than are expected; `goldenErrors` compares what is.
 *
 * @throws {SchemoeError} for fewer experts than the case has.
 */
export function withIdleExperts(golden: GoldenCase, experts: number): GoldenCase {
  const { config } = golden;
  if (experts === config.experts) return golden;
  if (!(Number.isSafeInteger(experts) && experts > config.experts)) {
    throw new SchemoeError(
      `Cannot run the case "${golden.name}" with ${experts} experts: it has ${config.experts}`,
    );
  }
  const { modelDim, gate, losses: given = [] } = config;
  const other = given.find(({ name }) => !GROWING.includes(name));
  if (other || (typeof gate === "object" && (gate.update || gate.identities))) {
    throw new SchemoeError(
      `Cannot run the case "${golden.name}" with ${experts} experts: it has ${config.experts}, and ` +
        `${other ? `the loss ${other.name}` : "what its gate does"} depends on their number`,
    );
  }
  const tensors = [...golden.tensors].map(([name, { shape, data }]) => {
    if (name === "aux_loss" ? golden.unweighted : name.startsWith("loss.")) {
      return [name, { shape, data: data.map((loss) => loss * experts / config.experts) }] as const;
    }
    const kept = /^(y$|aux_loss$|grad\.|route\.|loads$|tokenIds$|gate\.table$)/.test(name);
    if (kept) return [name, { shape, data }] as const;
    const to = shape.map((size, i) => i === MODEL_AT[name] ? size + COLUMNS : size);
    if (OF_EXPERTS.test(name)) to[0] = experts;
    const values = resized(data, { from: shape, to });
    if (name === "x") { for (let at = modelDim; at < values.length; at += to[2]) values[at] = 1; }
    if (name === "gate.weight") {
      for (let expert = shape[0]; expert < experts; expert++) {
        values[expert * to[1] + modelDim] = NEVER;
      }
    }
    return [name, { shape: to, data: values }] as const;
  });
  const { losses = [], routing, tokens } = config;
  const capacityFactor = routing?.capacityFactor ?? 1;
  return {
    ...golden,
    config: {
      ...config,
      experts,
      modelDim: modelDim + COLUMNS,
      losses: losses.map((loss) => ({ ...loss, weight: loss.weight * config.experts / experts })),
      routing: {
        ...routing,
        capacityFactor: sameCapacity(capacityFactor, tokens, [config.experts, experts]),
      },
    },
    tensors: new Map(tensors),
  };
}

/** The factor that gives with other experts the capacity that a factor gave. */
function sameCapacity(factor: number, tokens: number, [before, after]: [number, number]): number {
  const each = (experts: number) => Math.ceil(tokens / experts);
  // The half keeps rounding from losing one.
  const places = Math.floor(Math.abs(factor) * each(before)) + 0.5;
  return factor === 0 ? 0 : Math.sign(factor) * places / each(after);
}

/** The leading corner of an array in another shape, which is filled up with zeros. */
export function resized(
  data: Float32Array,
  { from, to }: { from: readonly number[]; to: readonly number[] },
): Float32Array {
  if (from.length === 0) return data.slice();
  const [rows, ...inner] = from;
  const [count, ...wanted] = to;
  const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
  const [step, stride] = [size(inner), size(wanted)];
  const values = new Float32Array(count * stride);
  for (let i = 0; i < Math.min(rows, count); i++) {
    const row = data.subarray(i * step, (i + 1) * step);
    values.set(resized(row, { from: inner, to: wanted }), i * stride);
  }
  return values;
}
