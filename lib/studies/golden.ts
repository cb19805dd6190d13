/** Reference cases: one layer in a safetensors file, computed by somebody else. @module */
import type { LayerConfig } from "../blocks/mod.ts";
import { parseSafetensors } from "../files/safetensors.ts";
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import type { GoldenCase } from "./golden_case.ts";
import { goldenExpert } from "./golden_expert.ts";
import { checkGoldenFields } from "./golden_fields_check.ts";
import { type GoldenFields, goldenLayer } from "./golden_layer.ts";
import { zeroGradients } from "./golden_zeros.ts";
import { onEveryRank, resized } from "./idle_experts.ts";

import { createLayer } from "../layer/create_layer.ts";
import type { PassChoices } from "../layer/choices.ts";
import { parseJson } from "../files/json.ts";
import { quoted } from "../words.ts";

export type { GoldenCase };

/**
 * Reads a case from the bytes of a safetensors file whose metadata hold its configuration as JSON.
 * @throws {SchemoeError} naming the file and what is wrong in it.
 */
export function parseGolden(bytes: Uint8Array, file: string): GoldenCase {
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot use ${file} as a reference case: ${problem}`);
  };
  const { metadata, tensors, skipped } = parseSafetensors(bytes, file);
  const text = metadata.config ??
    fail('its metadata have no "config": the configuration of the layer as JSON');
  for (const [name, { dtype }] of skipped) fail(`tensor "${name}" is ${dtype}, not F32`);
  let config: Record<string, unknown>;
  try {
    config = Object(parseJson(text));
  } catch (cause) {
    throw new SchemoeError(`Cannot use ${file} as a reference case: its "config" is not JSON`, {
      cause,
    });
  }
  const floats = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { dtype, shape, data }] of tensors) {
    // numbers of experts and of tokens
    if (data instanceof Int32Array) floats.set(name, { shape, data: Float32Array.from(data) });
    else if (data instanceof Float32Array && dtype !== "C64") floats.set(name, { shape, data });
    else fail(`tensor "${name}" is ${dtype}, not F32`);
  }
  const ranks = config.ranks;
  if (!Number.isInteger(ranks) || (ranks as number) < 1) {
    fail(`its "ranks" is ${quoted(ranks)}, not a positive integer`);
  }
  for (const name of ["tokens", "modelDim", "hiddenDim", "experts"]) {
    if (!Number.isSafeInteger(config[name]) || (config[name] as number) < 1) {
      fail(`its "${name}" is ${quoted(config[name])}, not a positive integer`);
    }
  }
  checkGoldenFields(config, fail);
  for (const name of ["x", "y", "dy", ...inputsOf(config as GoldenFields)]) {
    if (!floats.has(name)) fail(`it has no tensor "${name}"`);
  }
  checkShapes(floats, config, fail);
  const golden = {
    name: String(config.name ?? file),
    ranks: ranks as number,
    config: { ...layerFields(config, floats), expert: goldenExpert(config, fail) },
    unweighted: config.losses === undefined,
    tensors: floats,
  };
  return onEveryRank(golden, config as GoldenFields);
}

/** What the gate of a case takes beside its parameters. */
const inputsOf = ({ gate }: GoldenFields): string[] => [
  ...(gate?.hash ? ["gate.table", "tokenIds"] : []),
  ...(gate?.noise ? ["gate.noise"] : []),
  ...(gate?.selectionBias ? ["gate.selectionBias"] : []),
];

/** Compares shapes with the configuration before a layer of these sizes is made. */
function checkShapes(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
  { ranks, tokens, modelDim }: Record<string, unknown>,
  fail: (problem: string) => never,
): void {
  const activations = `${[ranks, tokens, modelDim]}`;
  for (const [name, { shape }] of tensors) {
    const known = name.startsWith("grad.") ? tensors.get(name.slice(5)) : undefined;
    const expected = ["x", "y", "dy", "grad.x"].includes(name) ? activations : known?.shape.join();
    if (expected !== undefined && shape.join() !== expected) {
      fail(`tensor "${name}" has shape [${shape}], its "config" needs [${expected}]`);
    }
  }
}

/**
 * The same case on more ranks, those of the file again and again: each rank routes its own tokens, so that
 * its output stays, and gradients of parameters, which are sums over ranks, grow with their number.
 *
 * @throws {SchemoeError} unless the number is a multiple of the case's, and divides its experts.
 */
export function repeatRanks(golden: GoldenCase, ranks: number): GoldenCase {
  const { experts, parallel } = golden.config;
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot run the case "${golden.name}" on ${ranks} ranks: ${problem}`);
  };
  if (!(Number.isSafeInteger(ranks) && ranks > 0 && ranks % golden.ranks === 0)) {
    fail(`it is for ${golden.ranks}, which can only be repeated`);
  }
  // expert groups of a size of their own stay as they are
  if (!parallel?.expert && experts % ranks !== 0) fail(`they do not divide its ${experts} experts`);
  const times = ranks / golden.ranks;
  const tensors = [...golden.tensors].map(([name, { shape, data }]) => {
    if (OF_RANKS.has(name) || name.startsWith("loss.")) {
      const values = new Float32Array(times * data.length);
      for (let i = 0; i < times; i++) values.set(data, i * data.length);
      return [name, { shape: [ranks, ...shape.slice(1)], data: values }] as const;
    }
    if (!name.startsWith("grad.")) return [name, { shape, data }] as const;
    return [name, { shape, data: data.map((value) => times * value) }] as const;
  });
  return { ...golden, ranks, tensors: new Map(tensors) };
}

/** Tensors whose first dimension are the ranks, besides losses. */
const OF_RANKS = new Set(["x", "y", "dy", "aux_loss", "grad.x", "gate.noise", "tokenIds"]);

function layerFields(
  config: Record<string, unknown>,
  tensors: GoldenCase["tensors"],
): LayerConfig {
  const { tokens, modelDim, hiddenDim, experts, latentDim } = config as unknown as LayerConfig;
  const vocabulary = tensors.get("gate.table")?.shape[0];
  const width = tensors.get("gate.projection")?.shape[1];
  const latent = latentDim === undefined ? {} : { latentDim };
  return {
    ...{ tokens, modelDim, hiddenDim, experts, ...latent },
    ...goldenLayer({ ...config, vocabulary, width }),
  };
}

/**
 * Runs a case forward and backward: `y`, `aux_loss`, and `grad.` of the input and all parameters.
 * @throws {SchemoeError} when the engine has another number of ranks, or a tensor another shape.
 */
export async function runGolden(
  engine: Engine,
  golden: GoldenCase,
  choices: PassChoices,
): Promise<Map<string, Float32Array>> {
  if (engine.topology.ranks !== golden.ranks) {
    throw new SchemoeError(
      `Cannot run the case "${golden.name}": it is for ${golden.ranks} ranks, the engine has ${engine.topology.ranks}`,
    );
  }
  using layer = createLayer(engine, golden.config);
  const results = new Map<string, Float32Array>();
  const given = (name: string) => tensor(golden, name).data;
  for (const [name, shape] of Object.entries(layer.parameters)) {
    const found = tensor(golden, name);
    if (found.shape.join() !== shape.join()) {
      throw new SchemoeError(
        `Cannot run the case "${golden.name}": tensor "${name}" has shape [${found.shape}], the layer needs [${shape}]`,
      );
    }
    layer.set({ [name]: found.data });
  }
  for (const name of UNTRAINED) {
    const found = golden.tensors.get(name.replace("gate.tokenIds", "tokenIds"));
    if (found) layer.set({ [name]: found.data });
  }
  const forward = await layer.forward({ ...choices, x: given("x"), bound: false });
  if (!forward.output || !forward.auxLoss) {
    throw new SchemoeError(
      `Cannot run the case "${golden.name}": the engine "${engine.kind}" computes no values`,
    );
  }
  const losses = forward.losses ?? {};
  results.set("y", forward.output)
    .set("aux_loss", golden.unweighted ? losses.gshard : forward.auxLoss);
  for (const [name, values] of Object.entries(golden.unweighted ? {} : losses)) {
    results.set(`loss.${name}`, values);
  }
  const backward = await layer.backward({ ...choices, dy: given("dy"), bound: false });
  for (const [name, values] of Object.entries(backward.gradients ?? {})) {
    results.set(`grad.${name}`, values);
  }
  if (layer.layer.gate.update) {
    results.set("update.selectionBias", layer.get("gate.selectionBias"));
  }
  return results;
}

/** Inputs of a gate besides its parameters. */
const UNTRAINED = ["gate.selectionBias", "gate.noise", "gate.table", "gate.tokenIds"];

/**
 * The error of each tensor of a case's file.
 *
 * @param measure default the largest error, {@linkcode largestError}
 * @throws {SchemoeError} when the file has a gradient that the results lack.
 */
export function goldenErrors(
  golden: GoldenCase,
  results: ReadonlyMap<string, Float32Array>,
  measure: (got: Float32Array, expected: Float32Array) => number = largestError,
): Record<string, number> {
  const errors: Record<string, number> = {};
  const gradients = [...golden.tensors].filter(([name]) => name.startsWith("grad."))
    .map(([name, { data }]) => [name, data] as const);
  const expectedOf = zeroGradients(gradients);
  const measured = (name: string, got: Float32Array, expected: Float32Array) => {
    if (got.length === expected.length) return measure(got, expected);
    throw new SchemoeError(
      `Cannot compare "${name}" of the case "${golden.name}": its file has ${expected.length} values, the layer ${got.length}`,
    );
  };
  for (const [name, { data }] of golden.tensors) {
    const got = results.get(name);
    const expected = name.startsWith("grad.") ? expectedOf(data) : data;
    if (got) errors[name] = measured(name, corner(golden, name, got), expected);
    else if (name.startsWith("grad.")) {
      throw new SchemoeError(
        `Cannot run the case "${golden.name}": the layer has no tensor "${name}"`,
      );
    }
  }
  return errors;
}

/** What of a result the case expects: all, or without the columns and experts of `withIdleExperts`. */
export function corner(golden: GoldenCase, name: string, got: Float32Array): Float32Array {
  const { shape } = golden.tensors.get(name)!;
  const whole = golden.tensors.get(name === "y" ? "x" : name.replace(/^grad\./, ""))?.shape;
  return whole && whole.join() !== shape.join() ? resized(got, { from: whole, to: shape }) : got;
}

function tensor(golden: GoldenCase, name: string) {
  const found = golden.tensors.get(name);
  if (found) return found;
  throw new SchemoeError(`Cannot run the case "${golden.name}": it has no tensor "${name}"`);
}

/** max|a - b| / max|b|, or max|a| where all of b are 0; infinite where a value is not a number. */
export function largestError(got: Float32Array, expected: Float32Array): number {
  sameLength(got, expected);
  let error = 0;
  let largest = 0;
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i] - expected[i]);
    if (!(difference < Infinity)) return Infinity;
    error = Math.max(error, difference);
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return largest > 0 ? error / largest : error;
}

/** ||a - b|| / ||b|| in the 2-norm, or ||a|| where all of b are 0; infinite where a value is not a number. */
export function rmsError(got: Float32Array, expected: Float32Array): number {
  sameLength(got, expected);
  let error = 0;
  let size = 0;
  for (let i = 0; i < got.length; i++) {
    error += (got[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  if (!(error < Infinity)) return Infinity;
  return Math.sqrt(size > 0 ? error / size : error);
}

function sameLength(got: Float32Array, expected: Float32Array): void {
  if (got.length === expected.length) return;
  throw new SchemoeError(
    `Cannot compare: ${got.length} values where ${expected.length} are expected`,
  );
}
