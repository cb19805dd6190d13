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
}

/** A recording as a routing: a choice of a row without an expert is none. */
export function recordedRouting(recording: Recording): RouterTrace {
  const { name, ranks, experts, topK } = recording;
  const choices = recording.choices.map((row) => row < experts ? row : -1);
  const size = choices.length / ranks;
  return {
    name,
    ranks,
    experts,
    topK,
    tokens: () => size / topK,
    choices: (rank) => choices.slice(rank * size, (rank + 1) * size),
  };
}
