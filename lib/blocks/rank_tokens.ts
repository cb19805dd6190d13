/** Numbers of tokens of ranks, which may differ. @module */
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

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
export const tokensOf = ({ tokens, rankTokens }: RankTokens, rank: number): number =>
  rankTokens ? rankTokens[rank] : tokens;

/** Tokens of all ranks. */
export const allTokens = (
  { tokens, rankTokens, topology }: RankTokens & { readonly topology: { readonly ranks: number } },
): number => rankTokens ? rankTokens.reduce((a, b) => a + b) : tokens * topology.ranks;

const views = new WeakMap<object, Map<number, unknown>>();

/** The layer as a rank's kernels see it, with the rank's own number of tokens. */
export function ofRank<Layer extends RankTokens & { readonly whole?: Layer }>(
  layer: Layer,
  rank: number,
): Layer {
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
