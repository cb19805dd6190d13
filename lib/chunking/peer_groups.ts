/** Splitting a pass by groups of peers instead of by capacity. @module */
import { type Chunk, SchemoeError } from "../types.ts";
import type { Chunking } from "./types.ts";
import { quoted } from "../words.ts";

/** Ranks from `begin` to `end`. */
export interface Peers {
  readonly begin: number;
  readonly end: number;
}

/**
 * Splits the exchange by groups of peers in a ring, as FasterMoE does (He et al., PPoPP'22, section 5.2):
 * ranks form groups of neighbours, and in chunk j each rank sends its rows to the group that is j
 * after its own and computes those of the group j before it. All places of an expert travel at once.
 *
 * The groups differ by one rank at most; with more groups than ranks each rank is one. An expert then
 * adds up its rows in the order of the ring, so gradients agree with those of capacity slices within
 * rounding (1e-5) and not bit by bit.
 *
 * ```ts
 * import { peerGroups } from "@schemoe/lab/chunking";
 * import { topology } from "@schemoe/lab";
 * const world = topology({ nodes: 2, ranksPerNode: 2 });
 * console.assert(peerGroups(2).split({ capacity: 8, topology: world }).length === 2);
 * ```
 * @throws {SchemoeError} (when it splits) if `groups` is no positive integer.
 */
export function peerGroups(groups: number): Chunking {
  return {
    name: `${typeof groups === "number" ? groups : quoted(groups)} peer ${
      groups === 1 ? "group" : "groups"
    }`,
    split({ capacity, topology: { ranks } }) {
      if (!Number.isInteger(groups) || groups < 1) {
        throw new SchemoeError(
          `Cannot split the pass: peer groups must be a positive integer, got ${quoted(groups)}`,
        );
      }
      const count = Math.min(groups, ranks);
      const bounds = Array.from({ length: count + 1 }, (_, i) => Math.floor((i * ranks) / count));
      return Array.from(
        { length: count },
        (_, step) => ({ begin: 0, end: capacity, peers: { bounds, step } }),
      );
    },
  };
}

/** Whether a pass is split by groups of peers. */
export const byPeers = (chunks: readonly Chunk[]): boolean => chunks[0].peers !== undefined;

/** Ranks that a rank sends its tokens to in a chunk. */
export const destinations = (chunk: Chunk, rank: number, ranks: number): Peers =>
  groupAt(chunk, rank, ranks, 1);

/** Ranks whose tokens a rank computes in a chunk. */
export const sources = (chunk: Chunk, rank: number, ranks: number): Peers =>
  groupAt(chunk, rank, ranks, -1);

/** Most ranks that a rank exchanges with in a chunk. */
export function mostPeers({ peers }: Chunk, ranks: number): number {
  if (!peers) return ranks;
  return peers.bounds.slice(1).reduce(
    (most, bound, i) => Math.max(most, bound - peers.bounds[i]),
    0,
  );
}

/** The groups in words, such as `peers in groups of 2 to 3`: there may be fewer than were asked for. */
export function groupsText(chunks: readonly Chunk[]): string {
  const { bounds } = chunks[0].peers!;
  const sizes = bounds.slice(1).map((bound, i) => bound - bounds[i]);
  const least = sizes.reduce((a, b) => Math.min(a, b));
  const most = sizes.reduce((a, b) => Math.max(a, b));
  return `peers in groups of ${least === most ? most : `${least} to ${most}`}`;
}

function groupAt({ peers }: Chunk, rank: number, ranks: number, direction: 1 | -1): Peers {
  if (!peers) return { begin: 0, end: ranks };
  const { bounds, step } = peers;
  const count = bounds.length - 1;
  const own = bounds.findIndex((bound, i) => i > 0 && rank < bound) - 1;
  const group = (own + direction * step + count) % count;
  return { begin: bounds[group], end: bounds[group + 1] };
}

/** @throws {SchemoeError} unless each pair of ranks meets once. */
export function checkPeers(
  chunks: readonly Chunk[],
  { capacity, topology: { ranks } }: Parameters<Chunking["split"]>[0],
  fail: (problem: string) => never,
): void {
  const bounds = chunks[0].peers?.bounds ?? [];
  const rising = bounds.every((bound, i) =>
    Number.isInteger(bound) && (i === 0 ? bound === 0 : bound > bounds[i - 1])
  );
  if (!rising || bounds.at(-1) !== ranks) {
    fail(`groups of peers must rise from 0 to ${ranks}, got ${bounds.join()}`);
  }
  if (chunks.length !== bounds.length - 1) {
    fail(`${bounds.length - 1} groups of peers need as many chunks`);
  }
  const steps = new Set<number>();
  for (const [i, { begin, end, peers }] of chunks.entries()) {
    if (begin !== 0 || end !== capacity) {
      fail(`chunk ${i} of peers must have all rows, 0 to ${capacity}`);
    }
    if (peers?.bounds.join() !== bounds.join()) {
      fail(`chunk ${i} has other groups of peers than chunk 0`);
    }
    const { step } = peers!;
    if (!Number.isInteger(step) || step < 0 || step >= chunks.length || steps.has(step)) {
      fail(`chunk ${i} has step ${step}; the steps are 0 to ${chunks.length - 1}, each once`);
    }
    steps.add(step);
  }
}
