/** Tokens that choose an expert more than once. @module */

/** A token with an expert that it has twice. */
export interface Repeated {
  readonly token: number;
  readonly expert: number;
  /** Which of its choices these are. */
  readonly choices: readonly [number, number];
}

/**
 * The first token of which two choices are the same expert; -1, none, may be there several times. A token is sent
 * once to an expert, with one weight: two rows of it would take two places, and a half of its output each.
 * @param choices [tokens, topK].
 */
export function repeatedChoice(choices: Int32Array, topK: number): Repeated | undefined {
  for (let first = 0; first < choices.length; first += topK) {
    for (let i = 1; i < topK; i++) {
      const expert = choices[first + i];
      if (expert < 0) continue;
      for (let before = 0; before < i; before++) {
        if (choices[first + before] !== expert) continue;
        return { token: first / topK, expert, choices: [before, i] };
      }
    }
  }
  return undefined;
}
