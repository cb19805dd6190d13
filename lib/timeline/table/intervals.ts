/**
 * Sets of time intervals as flat lists `[begin, end, begin, end, ...]`.
 * @module
 */

/** Intervals that are sorted and neither overlap nor touch. */
export type Intervals = readonly number[];

/** Joins intervals that overlap or touch; empty ones are dropped. */
export function merge(intervals: readonly number[]): Intervals {
  const pairs: [number, number][] = [];
  for (let i = 0; i < intervals.length; i += 2) {
    if (intervals[i + 1] > intervals[i]) pairs.push([intervals[i], intervals[i + 1]]);
  }
  pairs.sort((a, b) => a[0] - b[0]);
  const merged: number[] = [];
  for (const [begin, end] of pairs) {
    const last = merged.length - 1;
    if (last > 0 && begin <= merged[last]) merged[last] = Math.max(merged[last], end);
    else merged.push(begin, end);
  }
  return merged;
}

/** Sum of the lengths of merged intervals. */
export function length(intervals: Intervals): number {
  let sum = 0;
  for (let i = 0; i < intervals.length; i += 2) sum += intervals[i + 1] - intervals[i];
  return sum;
}

/** What two sets of merged intervals have in common. */
export function intersect(a: Intervals, b: Intervals): Intervals {
  const common: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const begin = Math.max(a[i], b[j]);
    const end = Math.min(a[i + 1], b[j + 1]);
    if (begin < end) common.push(begin, end);
    if (a[i + 1] < b[j + 1]) i += 2;
    else j += 2;
  }
  return common;
}

/** What merged intervals `a` have that merged intervals `b` have not. */
export function subtract(a: Intervals, b: Intervals): Intervals {
  const gaps = [-Infinity, ...b, Infinity];
  return intersect(a, gaps);
}
