/** Routings of runs. @module */
import type { RouterTrace } from "./types.ts";

/** What a gate chose on all ranks. */
export interface Recording {
  readonly name: string;
  readonly ranks: number;
  readonly experts: number;
  readonly topK: number;
  /** Rows of the gate that the tokens chose, int32 [ranks, tokens, topK]; -1: none. */
  readonly choices: Int32Array;
  /** Tokens of each rank, where they differ: `choices` are then [all tokens, topK]. */
  readonly rankTokens?: readonly number[];
}

/** A recording as a routing: a choice of a row without an expert is none. */
export function recordedRouting(recording: Recording): RouterTrace {
  const { name, ranks, experts, topK } = recording;
  const choices = recording.choices.map((row) => row < experts ? row : -1);
  const { rankTokens } = recording;
  const size = (rank: number) => rankTokens ? rankTokens[rank] * topK : choices.length / ranks;
  const firsts = [0];
  for (let rank = 0; rank < ranks; rank++) firsts.push(firsts[rank] + size(rank));
  return {
    name,
    ranks,
    experts,
    topK,
    tokens: (rank) => size(rank) / topK,
    choices: (rank) => choices.slice(firsts[rank], firsts[rank + 1]),
  };
}
