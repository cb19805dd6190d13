/** Numbers of tokens of ranks, which may differ. @module */
import { aSize, expect, record, something } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

const TOKENS_OF_LAYER = record("a layer with its tokens { tokens, rankTokens }", {
  tokens: something,
});
const ALL_TOKENS_LAYER = record("a layer with its tokens { tokens, rankTokens, topology }", {
  tokens: something,
  topology: something,
});

/** Most tokens of a rank, and those of each where they differ. */
export interface RankTokens {
  /** Tokens of the rank that has most. */
  readonly tokens: number;
  /** Tokens of each rank in turn; absent where all have `tokens`. */
  readonly rankTokens?: readonly number[];
}

/**
 * Checks numbers of tokens: one for all ranks, or one for each, 0 included.
 * @throws {SchemoeError} unless they are such numbers and some rank has a token.
 */
export function resolveTokens(tokens: number | readonly number[], ranks: number): RankTokens {
  if (!Array.isArray(tokens)) {
    if (Number.isInteger(tokens) && Number(tokens) >= 1) return { tokens: Number(tokens) };
    fail(`tokens must be a positive integer, got ${quoted(tokens)}`);
  }
  const list: readonly number[] = tokens;
  if (list.length !== ranks) fail(`tokens are those of ${list.length} ranks, there are ${ranks}`);
  const odd = list.findIndex((count) => !(Number.isInteger(count) && count >= 0));
  if (odd >= 0) {
    fail(`tokens of rank ${odd} must be an integer of at least 0, got ${quoted(list[odd])}`);
  }
  const most = list.reduce((a, b) => Math.max(a, b));
  if (most === 0) fail("no rank has a token");
  return list.every((count) => count === most)
    ? { tokens: most }
    : { tokens: most, rankTokens: Object.freeze([...list]) };
}

/** Tokens of a rank. */
export function tokensOf(layer: RankTokens, rank: number): number {
  expect("tokensOf", "layer", layer, TOKENS_OF_LAYER);
  expect("tokensOf", "rank", rank, aSize);
  const { tokens, rankTokens } = layer;
  return rankTokens ? rankTokens[rank] : tokens;
}

/** Tokens of all ranks. */
export function allTokens(
  layer: RankTokens & { readonly topology: { readonly ranks: number } },
): number {
  expect("allTokens", "layer", layer, ALL_TOKENS_LAYER);
  const { tokens, rankTokens, topology } = layer;
  return rankTokens ? rankTokens.reduce((a, b) => a + b) : tokens * topology.ranks;
}

const views = new WeakMap<object, Map<number, unknown>>();

/** The layer as a rank's kernels see it, with the rank's own number of tokens. */
export function ofRank<Layer extends RankTokens & { readonly whole?: Layer }>(
  layer: Layer,
  rank: number,
): Layer {
  expect("ofRank", "layer", layer, TOKENS_OF_LAYER);
  expect("ofRank", "rank", rank, aSize);
  if (!layer.rankTokens) return layer;
  let known = views.get(layer);
  if (!known) views.set(layer, known = new Map());
  const tokens = layer.rankTokens[rank];
  let view = known.get(tokens) as Layer | undefined;
  if (!view) {
    view = { ...layer, tokens, rankTokens: undefined, whole: layer };
    known.set(tokens, view);
  }
  return view;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
