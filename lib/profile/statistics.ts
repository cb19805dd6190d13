/** Medians and deviations from them. @module */
import { anyNumber, aShare, expect, numbersOf } from "../arguments/mod.ts";

const VALUES = numbersOf(anyNumber);

/** The middle value; of two the lower one. NaN of none. */
export function median(values: readonly number[]): number {
  expect("median", "values", values, VALUES);
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/** Median of how far values lie from their median, as a part of it. */
export function relativeSpread(values: readonly number[]): number {
  expect("relativeSpread", "values", values, VALUES);
  const middle = median(values);
  return middle > 0 ? median(values.map((value) => Math.abs(value - middle))) / middle : 0;
}

/** The value below which a part of the sorted values lies. */
export function quantile(values: readonly number[], part: number): number {
  expect("quantile", "values", values, VALUES);
  expect("quantile", "part", part, aShare);
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}
