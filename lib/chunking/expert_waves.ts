/** Splitting a pass by experts instead of by capacity. @module */
import { type Chunk, SchemoeError } from "../types.ts";
import type { Chunking } from "./types.ts";
import { quoted } from "../words.ts";

/**
 * Splits a pass by the experts of each rank, in waves, as the kernel of DeepSeek-V4 does (arXiv 2606.19348, section
 * 3.1): a chunk is all tokens for some experts of every rank, so that an expert computes once, over all of its rows, and its
 * gradients are those of one chunk bit by bit, however many waves there are. Weight gradients of waves do not
 * wait for each other.
 *
 * Waves differ by one expert at most. Ranks with several groups of experts, placements (slots instead of experts) and
 * rows without padding are split likewise. Without a routing all pairs of ranks have as many rows in a wave, and worlds of
 * 4,096 ranks are simulated without anything of each pair.
 *
 * ```ts
 * import { expertWaves } from "@schemoe/lab/chunking";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 1, ranksPerNode: 2 });
 * const chunks = expertWaves(2).split({ capacity: 8, topology: world, localExperts: 3 });
 * console.assert(chunks[1].experts?.begin === 1 && chunks[1].experts.end === 3);
 * ```
 * @throws {SchemoeError} (when it splits) if `waves` is no integer from 1 to the experts of a rank.
 */
export function expertWaves(waves: number): Chunking {
  return {
    name: `${typeof waves === "number" ? waves : quoted(waves)} expert ${
      waves === 1 ? "wave" : "waves"
    }`,
    split({ capacity, localExperts }) {
      if (localExperts === undefined) {
        throw new SchemoeError("Cannot split the pass: waves need the experts of a rank");
      }
      if (!Number.isInteger(waves) || waves < 1 || waves > localExperts) {
        throw new SchemoeError(
          `Cannot split the pass: waves must be an integer from 1 to the ${localExperts} ` +
            `${localExperts === 1 ? "expert" : "experts"} of a rank, got ${quoted(waves)}`,
        );
      }
      const bound = (i: number) => Math.floor((i * localExperts) / waves);
      return Array.from(
        { length: waves },
        (_, i) => ({ begin: 0, end: capacity, experts: { begin: bound(i), end: bound(i + 1) } }),
      );
    },
  };
}

/** Experts, or slots, of a rank that belong to a chunk. */
export const expertsOf = (
  { experts }: Chunk,
  localSlots: number,
): { readonly begin: number; readonly end: number } => experts ?? { begin: 0, end: localSlots };

/** The waves in words, such as `experts in waves of 2 to 3`. */
export function wavesText(chunks: readonly Chunk[]): string {
  const sizes = chunks.map(({ experts }) => experts!.end - experts!.begin);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  return `experts in waves of ${least === most ? most : `${least} to ${most}`}`;
}

/** @throws {SchemoeError} unless waves have all places, and each expert of a rank once, in order. */
export function checkWaves(
  chunks: readonly Chunk[],
  { capacity, localExperts }: Parameters<Chunking["split"]>[0],
  fail: (problem: string) => never,
): void {
  let expected = 0;
  for (const [i, { begin, end, experts }] of chunks.entries()) {
    if (begin !== 0 || end !== capacity) {
      fail(`chunk ${i} of experts must have all rows, 0 to ${capacity}`);
    }
    if (!experts) fail(`chunk ${i} has no experts, others have`);
    if (!Number.isInteger(experts.end) || experts.begin !== expected || experts.end <= expected) {
      fail(
        `chunk ${i} has experts ${experts.begin} to ${experts.end}, it must have at least one and begin at ${expected}`,
      );
    }
    expected = experts.end;
  }
  if (expected !== localExperts) {
    fail(`the chunks end at expert ${expected}, a rank has ${localExperts}`);
  }
}
