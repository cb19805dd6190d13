/** Makes stacks of layers. @module */
import { checkFields } from "../arguments/mod.ts";
import {
  type LayerConfig,
  resolveLayer,
  routedCapacity,
  type UnevenLayerConfig,
} from "../blocks/mod.ts";
import type { Engine } from "../engine.ts";
import type { Attention } from "../graph/mod.ts";
import { SchemoeError } from "../types.ts";
import { seedOf } from "./seed.ts";
import { MoeStack } from "./stack.ts";
import { quoted } from "../words.ts";

/** Layers of a stack, each of which has tensors and tasks of its own. */
const MOST_LAYERS = 10_000;

/** A stack of equal layers. */
export interface StackConfig {
  /** Sizes and blocks of each layer. */
  readonly layer: LayerConfig | UnevenLayerConfig;
  /** Number of layers, at least 1. */
  readonly layers: number;
  /** Work before the experts of each layer, which takes time and changes no values; default none. */
  readonly attention?: Attention;
  /** Pieces into which each reduction of attention's gradients is cut, so that others get between; default 1. */
  readonly gradientChunks?: number;
}

/**
 * Makes N layers of equal sizes, each with parameters of its own; the output of one is the input of the
 * next. A whole pass is one graph: a scheduler orders all layers, and any engine runs it.
 *
 * ```ts
 * import { createStack, openEngine, topK } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const stack = createStack(engine, {
 *   ...{ layers: 3, attention: { flops: 1e9, parameters: 1e6 }, gradientChunks: 4 },
 *   layer: { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) },
 * });
 * await stack.forward({ scheduler: "optSche", chunks: 2 });
 * const run = await stack.backward({ scheduler: "optSche", chunks: 2 });
 * console.assert(run.makespan >= run.bound!);
 * ```
 * @param options.seed of the random parameters and inputs; default 1.
 * @throws {SchemoeError} naming the field that is wrong; the capacity must not depend on the routing.
 */
export function createStack(
  engine: Engine,
  config: StackConfig,
  options: { seed?: number } = {},
): MoeStack {
  const seed = seedOf("stack", engine, options);
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot make the stack: ${problem}`);
  };
  if (typeof config !== "object" || config === null) {
    fail(`give an object with layer and layers, got ${quoted(config)}`);
  }
  const names = ["layer", "layers", "attention", "gradientChunks"];
  checkFields(config, names, { what: "the stack", of: "one of its fields", fail });
  const { layers, attention, gradientChunks = 1 } = config;
  for (const [name, value] of Object.entries({ layers, gradientChunks })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
    if (value > MOST_LAYERS) fail(`${name} must be at most ${MOST_LAYERS}, got ${value}`);
  }
  for (const name of ["flops", "bytes", "parameters"] as const) {
    const value = attention?.[name] ?? (name === "flops" && attention ? NaN : 0);
    if (!(typeof value === "number" && value >= 0 && value < Infinity)) {
      fail(`attention.${name} must be a number of at least 0, got ${quoted(attention![name])}`);
    }
  }
  if (attention?.parameters && !Number.isInteger(attention.parameters)) {
    fail(`attention.parameters must be an integer, got ${quoted(attention.parameters)}`);
  }
  const layer = resolveLayer(config.layer, engine.topology);
  if (routedCapacity(layer)) fail("a capacity that depends on the routing needs a Program a layer");
  return new MoeStack(engine, layer, { layers, attention, gradientChunks }, seed);
}
