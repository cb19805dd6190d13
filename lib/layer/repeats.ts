/** A Program that runs several times: which of the runs is kept, and how far they lie apart. @module */
import type { EventTable } from "../engine.ts";

/** One run of several, and how long each of them took. */
export interface Repeated {
  readonly events: EventTable;
  /** Seconds of each run, in the order in which they ran; absent where there was one. */
  readonly repeats?: readonly number[];
}

/** Runs as often as asked for; the run of the median makespan is kept, of two in the middle the shorter. */
export async function repeated(count: number, run: () => Promise<EventTable>): Promise<Repeated> {
  const runs: EventTable[] = [];
  for (let i = 0; i < count; i++) runs.push(await run());
  if (count === 1) return { events: runs[0] };
  const repeats = runs.map(secondsOf);
  const order = repeats.map((_, i) => i).toSorted((a, b) => repeats[a] - repeats[b]);
  return { events: runs[order[Math.floor((count - 1) / 2)]], repeats };
}

/** Seconds from the first start to the last end. */
export function secondsOf({ start, end }: EventTable): number {
  const begin = start.reduce((least, time) => Math.min(least, time), Infinity);
  const last = end.reduce((most, time) => Math.max(most, time), -Infinity);
  return start.length === 0 ? 0 : (last - begin) * 1e-9;
}

/** Seconds of each repeat of a pass of several Programs, of which those that ran once count alike. */
export function togetherRepeats(parts: readonly Repeated[]): readonly number[] | undefined {
  const count = Math.max(...parts.map(({ repeats }) => repeats?.length ?? 1));
  if (count < 2) return undefined;
  return Array.from(
    { length: count },
    (_, i) =>
      parts.reduce((sum, { events, repeats }) => sum + (repeats?.[i] ?? secondsOf(events)), 0),
  );
}
