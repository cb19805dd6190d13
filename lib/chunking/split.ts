/** What a pass is split by, and checks of a split. @module */
import { type Chunk, SchemoeError } from "../types.ts";
import { callUser } from "../user_code.ts";
import { checkWaves, wavesText } from "./expert_waves.ts";
import { byPeers, checkPeers, groupsText } from "./peer_groups.ts";
import type { Chunking } from "./types.ts";
import { quoted } from "../words.ts";

/** Ways to split a pass. */
export type SplitKind = "capacity" | "peers" | "experts";

/** What a pass is split by. */
export const splitKind = (chunks: readonly Chunk[]): SplitKind =>
  byPeers(chunks) ? "peers" : chunks[0].experts ? "experts" : "capacity";

/** What a pass is split by, in words. */
export const SPLIT_NAMES: Readonly<Record<SplitKind, string>> = {
  capacity: "capacity",
  peers: "groups of peers",
  experts: "waves of experts",
};

/** The split in words, where it is none of the capacity: there may be fewer groups than were asked for. */
export function splitText(chunks: readonly Chunk[]): string | undefined {
  const kind = splitKind(chunks);
  return kind === "capacity" ? undefined : { peers: groupsText, experts: wavesText }[kind](chunks);
}

/** The capacity slices that rows of tokens lie in: one for all groups of peers, or waves of experts. */
export const rowSlices = (chunks: readonly Chunk[]): readonly Chunk[] =>
  splitKind(chunks) === "capacity" ? chunks : [chunks[0]];

/**
 * Checks what a user's own way of splitting gives.
 * @throws {SchemoeError} when chunks do not cover the capacity, the pairs of ranks or the experts exactly once.
 */
export function checkedSplit(
  chunking: Chunking,
  at: Parameters<Chunking["split"]>[0],
): readonly Chunk[] {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot split the pass by "${chunking.name}": ${problem}`);
  };
  const chunks = callUser(`the chunking "${chunking.name}"`, "split", () => chunking.split(at));
  if (!Array.isArray(chunks as unknown) || chunks.length === 0) {
    fail("there must be at least one chunk");
  }
  const odd = chunks.findIndex((chunk: unknown) => Object(chunk) !== chunk);
  if (odd >= 0) fail(`chunk ${odd} is ${quoted(chunks[odd])}, not an object { begin, end }`);
  const [peers, experts] = [chunks.some(({ peers }) => peers), chunks.some((c) => c.experts)];
  if (peers && experts) fail("chunks are groups of peers and waves of experts; take one");
  if (peers) checkPeers(chunks, at, fail);
  else if (experts) checkWaves(chunks, at, fail);
  else {
    chunks.forEach(({ begin, end }, i) => {
      const expected = i ? chunks[i - 1].end : 0;
      if (!Number.isInteger(end) || begin !== expected || end <= begin) {
        fail(
          `chunk ${i} has rows ${begin} to ${end}, it must have at least one and begin at ${expected}`,
        );
      }
    });
    const { end } = chunks[chunks.length - 1];
    if (end !== at.capacity) fail(`the chunks end at ${end}, the capacity is ${at.capacity}`);
  }
  return chunks;
}
