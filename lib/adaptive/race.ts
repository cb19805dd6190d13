/** Measuring candidates until one is known to be best. @module */
import type { Run } from "../layer/mod.ts";
import { median } from "../profile/mod.ts";

/** What a race may take. */
export interface RaceLimits {
  readonly repeats: number;
  /** Whether there is time, and a run left, for one more. */
  readonly mayRun: () => boolean;
}

/**
 * Runs candidates in turn, each once before any twice. One whose fastest run is slower than the slowest of the best one
 * runs no more.
 * @returns seconds of the runs of each candidate.
 */
export async function race<T>(
  candidates: readonly T[],
  run: (candidate: T) => Promise<Run>,
  { repeats, mayRun }: RaceLimits,
): Promise<number[][]> {
  const measured = candidates.map((): number[] => []);
  let alive = candidates.map((_, i) => i);
  for (let round = 0; round < repeats && alive.length > 0; round++) {
    for (const i of alive) {
      if (!mayRun()) return measured;
      measured[i].push((await run(candidates[i])).makespan);
    }
    if (round === 0) continue;
    const best = alive.reduce((a, b) => median(measured[b]) < median(measured[a]) ? b : a);
    const slowest = Math.max(...measured[best]);
    alive = alive.filter((i) => Math.min(...measured[i]) <= slowest);
    if (alive.length === 1 && round > 0) break;
  }
  return measured;
}
