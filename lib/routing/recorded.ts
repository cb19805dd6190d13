/** Routings of runs. @module */
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import { repeatedChoice } from "./repeated.ts";
import type { RouterTrace } from "./types.ts";

/** What a gate chose on all ranks. */
export interface Recording {
  /** What captions and errors call the routing. */
  readonly name: string;
  /** Ranks of the world. */
  readonly ranks: number;
  /** Experts with computation; rows from this number on are none. */
  readonly experts: number;
  /** Choices of a token. */
  readonly topK: number;
  /** Rows of the gate that the tokens chose, int32 [ranks, tokens, topK]; -1: none. */
  readonly choices: Int32Array;
  /** Tokens of each rank, where they differ: `choices` are then [all tokens, topK]. */
  readonly rankTokens?: readonly number[];
}

/**
 * A recording as a routing: a choice of a row without an expert is none.
 * @throws {SchemoeError} naming what is no count, or the choices that are not those of all tokens.
 */
export function recordedRouting(recording: Recording): RouterTrace {
  check(recording);
  checkDifferent(recording);
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

function check(recording: Recording): void {
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot make a routing of the recording: ${problem}`);
  };
  if (Object(recording) !== recording) fail(`it is ${quoted(recording)}, not an object`);
  const { ranks, experts, topK, choices, rankTokens } = recording;
  for (const [name, value] of Object.entries({ ranks, experts, topK })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
  }
  if (!(choices instanceof Int32Array)) {
    fail(`choices must be an Int32Array, got ${quoted(choices)}`);
  }
  const odd = choices.findIndex((row) => row < -1);
  if (odd >= 0) fail(`choice ${odd} is ${choices[odd]}; -1 is none`);
  if (rankTokens === undefined) {
    if (choices.length % (ranks * topK) !== 0) {
      fail(
        `${choices.length} choices are not ${topK} a token for as many tokens on each of ${ranks} ranks`,
      );
    }
    return;
  }
  if (!Array.isArray(rankTokens) || rankTokens.length !== ranks) {
    fail(`rankTokens must be a list of ${ranks} numbers, got ${quoted(rankTokens)}`);
  }
  const wrong = rankTokens.findIndex((tokens) => !Number.isInteger(tokens) || tokens < 0);
  if (wrong >= 0) fail(`rank ${wrong} has ${quoted(rankTokens[wrong])} tokens`);
  const tokens = rankTokens.reduce((sum, count) => sum + count, 0);
  if (tokens * topK !== choices.length) {
    fail(`${choices.length} choices are not ${topK} for each of ${tokens} tokens`);
  }
}

/** @throws {SchemoeError} naming a token that chose an expert twice. */
function checkDifferent({ choices, topK }: Recording): void {
  const twice = repeatedChoice(choices, topK);
  if (!twice) return;
  throw new SchemoeError(
    `Cannot make a routing of the recording: token ${twice.token} (of those of all ranks) chose ` +
      `expert ${twice.expert} twice`,
  );
}
