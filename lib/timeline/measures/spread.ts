/** How far makespans of the same pass lie apart. @module */
import { formatTime } from "../table/format.ts";
import type { Timed } from "../table/subject.ts";
import { makespan } from "./makespan.ts";

/** Makespans of a run in nanoseconds: all of them where it ran several times. */
export const makespansOf = (run: Timed): readonly number[] =>
  run.repeats && run.repeats.length > 0
    ? run.repeats.map((seconds) => seconds * 1e9)
    : [makespan(run)];

/** ` (median of 5, 43.61 ms to 51.40 ms)`, "" for a single one. */
export function spreadText(repeats: readonly number[]): string {
  if (repeats.length < 2) return "";
  const [least, most] = [Math.min(...repeats), Math.max(...repeats)];
  return ` (median of ${repeats.length}, ${formatTime(least * 1e9)} to ${formatTime(most * 1e9)})`;
}

/** `3 runs: 43.61 ms, 51.40 ms, 43.70 ms`, in the order in which they ran; "" for a single one. */
export function repeatsText(repeats: readonly number[]): string {
  if (repeats.length < 2) return "";
  return `${repeats.length} runs: ${
    repeats.map((seconds) => formatTime(seconds * 1e9)).join(", ")
  }`;
}

/** Whether an engine measured the times, which then differ from run to run. */
export function isMeasured({ configuration, timeline }: Timed): boolean {
  const engine = configuration?.engine;
  if (engine !== undefined) return !`${engine}`.startsWith("simulate");
  return timeline.column("paced_ns") !== undefined;
}

/**
 * Whether two runs differ by more than the same run differs from itself: their ranges do not overlap.
 * Null where one that was measured ran only once, so that nobody knows.
 */
export function differClearly(a: Timed, b: Timed): boolean | null {
  const unknown = (run: Timed) => isMeasured(run) && makespansOf(run).length < 2;
  if (unknown(a) || unknown(b)) return null;
  const [one, other] = [makespansOf(a), makespansOf(b)];
  return Math.max(...one) < Math.min(...other) || Math.max(...other) < Math.min(...one);
}
