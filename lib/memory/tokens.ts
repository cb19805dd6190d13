/** Which token each row of a block belongs to. @module */
import type { Places } from "../kernels/mod.ts";

/** The choices of a rank's tokens, as its gate left them: [tokens, topK] each. */
export interface Routed {
  readonly choices: Int32Array;
  readonly positions: Int32Array;
}

/**
 * Numbers of the tokens in rows `first` to `first + count` of a rank's own rows, in their order; -1 where a
 * place has no token.
 */
export function tokensOfRows(
  places: Places,
  { choices, positions }: Routed,
  { first, count }: { readonly first: number; readonly count: number },
): Int32Array<ArrayBuffer> {
  const { topK, experts, chunks, firstRows } = places;
  const tokens = new Int32Array(count).fill(-1);
  for (let i = 0; i < choices.length; i++) {
    const [expert, place] = [choices[i], positions[i]];
    const chunk = chunks.findIndex(({ begin, end }) => place >= begin && place < end);
    if (expert < 0 || chunk < 0) continue;
    const { begin, end } = chunks[chunk];
    const start = firstRows
      ? firstRows[chunk * experts + expert]
      : experts * begin + expert * (end - begin);
    const row = start + place - begin - first;
    if (row >= 0 && row < count) tokens[row] = Math.floor(i / topK);
  }
  return tokens;
}
