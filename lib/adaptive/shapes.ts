/** Random layers. @module */
import { topK } from "../blocks/mod.ts";
import type { LayerConfig } from "../blocks/mod.ts";
import { uniforms } from "../random.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { quoted } from "../words.ts";

/**
 * Layers of random sizes around one: 1/4 to 1 of its tokens, 1/2 to 3/2 of its widths, one or two choices a token.
 * @throws {SchemoeError} for a number that is no positive integer.
 */
export function randomShapes(
  count: number,
  { around, topology, seed = 1 }: {
    readonly around: LayerConfig;
    readonly topology: Topology;
    readonly seed?: number;
  },
): LayerConfig[] {
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new SchemoeError(
      `Cannot make random layers: their number is ${quoted(count)}, not an integer from 1 on`,
    );
  }
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
