/** How a pass is split, by what its user and its scheduler say. @module */
import { capacitySlices, expertWaves, peerGroups } from "../chunking/mod.ts";
import { checkedSplit, splitKind } from "../chunking/split.ts";
import type { Chunking } from "../chunking/types.ts";
import type { Scheduler } from "../schedulers/types.ts";
import { type Chunk, SchemoeError } from "../types.ts";
import { callUser } from "../user_code.ts";
import type { ResolvedChoices } from "./choices.ts";

/** @throws {SchemoeError} for a value that splits nothing. */
export function checkedChunking(chunking: Chunking, needed: string): Chunking {
  if (typeof chunking?.split === "function") return chunking;
  throw new SchemoeError(`Cannot split the pass: ${needed} with a function "split"`);
}

/** Rows at multiples of which both codecs may be cut without a difference: those of the taller one. */
export const heightOf = ({ dispatch, combine }: ResolvedChoices["compressor"]): number =>
  Math.max(dispatch.height ?? 1, combine.height ?? 1);

/** The chunking that a scheduler prefers for a number of chunks. */
export function preferredChunking(scheduler: Scheduler, chunks: number, height: number): Chunking {
  const whose = `the scheduler "${scheduler.name}"`;
  const preferred = callUser(whose, "chunking", () => scheduler.chunking?.(chunks));
  if (preferred === undefined) return capacitySlices(chunks, height);
  return checkedChunking(preferred, `the chunking of ${whose} must give a value`);
}

/** Choices of a backward pass: where only a number of chunks is given, it is split as forward was. */
export function splitLike(
  forward: readonly Chunk[],
  resolved: ResolvedChoices,
  { chunks = 1, ...at }: { chunks?: number | Chunking } & Parameters<Chunking["split"]>[0],
): ResolvedChoices {
  if (typeof chunks === "object") return resolved;
  const kind = splitKind(forward);
  if (splitKind(checkedSplit(resolved.chunking, at)) === kind) return resolved;
  const like = {
    capacity: () => capacitySlices(chunks, heightOf(resolved.compressor)),
    peers: () => peerGroups(chunks),
    experts: () => expertWaves(chunks),
  };
  return { ...resolved, chunking: like[kind]() };
}
