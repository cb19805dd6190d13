/** Which experts a rank computes, in runs whose tensors lie one after another. @module */
import type { Layer } from "../blocks/mod.ts";
import { expertsOf } from "../chunking/expert_waves.ts";
import type { Chunk } from "../types.ts";

/** Consecutive slots of a rank with consecutive experts, whose tensors lie one after another. */
export interface SlotRun {
  readonly slot: number;
  readonly count: number;
  /** Number of the first expert. */
  readonly expert: number;
  /** Whether their weights are copies; and the first one's place among the tensors of the rank, or of its guests. */
  readonly guests: boolean;
  readonly index: number;
}

/** The experts of a rank that belong to a chunk, by slot. */
export function chunkRuns(layer: Layer, chunk: Chunk, rank: number): SlotRun[] {
  const wave = expertsOf(chunk, layer.localSlots);
  return slotRuns(layer, rank).flatMap((run) => {
    const begin = Math.max(run.slot, wave.begin);
    const count = Math.min(run.slot + run.count, wave.end) - begin;
    const left = begin - run.slot;
    const { guests, expert, index } = run;
    return count > 0
      ? [{ slot: begin, count, expert: expert + left, guests, index: index + left }]
      : [];
  });
}

/** The experts of a rank, by slot. */
export function slotRuns(layer: Layer, rank: number): SlotRun[] {
  const { placed, groups, localExperts } = layer;
  const first = groups.place(rank) * localExperts;
  if (!placed) return [{ slot: 0, count: localExperts, expert: first, guests: false, index: 0 }];
  const guests = placed.guests(rank);
  const runs: { -readonly [K in keyof SlotRun]: SlotRun[K] }[] = [];
  for (const [slot, expert] of placed.slots(rank).entries()) {
    const guest = guests.indexOf(expert);
    const last = runs.at(-1);
    if (last && last.guests === guest >= 0 && last.expert + last.count === expert) last.count++;
    else {
      const index = guest >= 0 ? guest : expert - first;
      runs.push({ slot, count: 1, expert, guests: guest >= 0, index });
    }
  }
  return runs;
}
