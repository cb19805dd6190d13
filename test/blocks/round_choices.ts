/** Choices of tokens, rounded to whole tiles of each expert, in plain loops: what the kernel is compared with. */

/** Sizes of a choice on one rank. */
export interface RoundedSizes {
  readonly tokens: number;
  readonly experts: number;
  /** Experts of a token before rounding. */
  readonly k: number;
  readonly tile: number;
}

/** Scores and logits [tokens, experts]. */
export interface ScoredTokens {
  readonly scores: Float32Array;
  readonly logits: Float32Array;
}

/**
 * Choices [tokens, experts], each the expert or -1: the k best of each token, then of each expert as many tokens as the
 * nearest multiple of a tile, the chosen ones before the others and each by score. Half a tile is rounded up, and
 * no expert gets more whole tiles than there are tokens for. Equal scores: the larger logit, then the lower expert
 * or token. NaN goes before everything.
 */
export function roundChoices(sizes: RoundedSizes, of: ScoredTokens): Int32Array<ArrayBuffer> {
  const { tokens, experts, k, tile } = sizes;
  const chosen = new Uint8Array(tokens * experts);
  const byExpert = Array.from({ length: experts }, (_, e) => e);
  for (let token = 0; token < tokens; token++) {
    const best = before(of, (e) => token * experts + e);
    for (const e of byExpert.toSorted(best).slice(0, k)) chosen[token * experts + e] = 1;
  }
  const choices = new Int32Array(tokens * experts).fill(-1);
  const byToken = Array.from({ length: tokens }, (_, token) => token);
  const most = Math.floor(tokens / tile);
  for (let e = 0; e < experts; e++) {
    const at = (token: number) => token * experts + e;
    const count = byToken.reduce((sum, token) => sum + chosen[at(token)], 0);
    const rounded = tile * Math.min(most, Math.round(count / tile));
    const better = before(of, at);
    const order = byToken.toSorted((a, b) => chosen[at(b)] - chosen[at(a)] || better(a, b));
    for (const token of order.slice(0, rounded)) choices[at(token)] = e;
  }
  return choices;
}

/** Compares two numbers by the scores and logits where `at` says they are. */
function before({ scores, logits }: ScoredTokens, at: (i: number) => number) {
  return (a: number, b: number): number =>
    larger(scores[at(a)], scores[at(b)]) || larger(logits[at(a)], logits[at(b)]) || a - b;
}

/** Below 0 where x goes first. */
function larger(x: number, y: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x));
  return x > y ? -1 : x < y ? 1 : 0;
}
