/** Random layers. @module */
import {
  aLayerConfig,
  anInteger,
  aTopology,
  expect,
  manyAtMost,
  maybe,
  options,
} from "../arguments/mod.ts";
import { topK } from "../blocks/mod.ts";
import type { LayerConfig } from "../blocks/mod.ts";
import { uniforms } from "../random.ts";
import type { Topology } from "../types.ts";

const RANDOM_SHAPES_OPTIONS = options({
  around: aLayerConfig,
  topology: aTopology,
  seed: maybe(anInteger),
});

/**
 * Layers of random sizes around one: 1/4 to 1 of its tokens, 1/2 to 3/2 of its widths, one or two choices a token.
 * @throws {SchemoeError} for a number that is no positive integer.
 */
export function randomShapes(count: number, options: {
  readonly around: LayerConfig;
  readonly topology: Topology;
  readonly seed?: number;
}): LayerConfig[] {
  expect("randomShapes", "count", count, manyAtMost);
  expect("randomShapes", "options", options, RANDOM_SHAPES_OPTIONS);
  const { around, topology, seed = 1 } = options;
  const uniform = uniforms(seed);
  const between = (least: number, most: number, multiple: number) =>
    Math.max(multiple, multiple * Math.round((least + uniform() * (most - least)) / multiple));
  return Array.from({ length: count }, () => ({
    ...around,
    // enough for four chunks of the places of an expert
    tokens: Math.max(8 * topology.ranks, between(around.tokens / 4, around.tokens, 8)),
    modelDim: between(around.modelDim / 2, around.modelDim * 1.5, 8),
    hiddenDim: between(around.hiddenDim / 2, around.hiddenDim * 1.5, 8),
    experts: topology.ranks * between(1, 2, 1),
    gate: topK({ k: between(1, 2, 1) }),
  }));
}
