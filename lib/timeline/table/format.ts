/**
 * Times, bytes and rates as people write them.
 * @module
 */
import { anyNumber, aText, expect } from "../../arguments/mod.ts";

const TIMES = [["ns", 1], ["us", 1e3], ["ms", 1e6], ["s", 1e9]] as const;

/** Unit in which a time of `ns` nanoseconds reads best, and nanoseconds in that unit. */
export function timeUnit(ns: number): { unit: "ns" | "us" | "ms" | "s"; ns: number } {
  // 999.995 of a unit would round to 1000.00
  const [unit, size] = TIMES.findLast(([, size]) => Math.abs(ns) >= size * 0.999995) ?? TIMES[0];
  return { unit, ns: size };
}

/** Nanoseconds as `850 ns`, `12.31 us`, `12.31 ms` or `12.31 s`. */
export function formatTime(ns: number): string {
  expect("formatTime", "ns", ns, anyNumber);
  const { unit, ns: size } = timeUnit(ns);
  return `${(ns / size).toFixed(unit === "ns" ? 0 : 2)} ${unit}`;
}

/** Bytes as `512 B`, `1.50 kB`, `1.05 MB`: powers of 1000. */
export function formatBytes(bytes: number): string {
  expect("formatBytes", "bytes", bytes, anyNumber);
  return scaled(bytes, "B");
}

/** Anything that happens `count` times in `ns` nanoseconds, as `12.30 GB/s` for the unit `B`. */
export function formatRate(count: number, ns: number, unit: string): string {
  expect("formatRate", "count", count, anyNumber);
  expect("formatRate", "ns", ns, anyNumber);
  expect("formatRate", "unit", unit, aText);
  return `${scaled(count / ns * 1e9, unit)}/s`;
}

/** A number with two decimals and a prefix of powers of 1000. */
export function scaled(value: number, unit: string): string {
  const prefixes = ["", "k", "M", "G", "T", "P", "E"];
  let at = 0;
  while (Math.abs(value) >= 999.995 && at < prefixes.length - 1) {
    value /= 1000;
    at++;
  }
  return `${at === 0 ? Math.round(value) : value.toFixed(2)} ${prefixes[at]}${unit}`;
}

/** A fraction as `64 %`; what is neither nothing nor all never reads as `0 %` or `100 %`. */
export function formatPercent(fraction: number): string {
  expect("formatPercent", "fraction", fraction, anyNumber);
  const percent = fraction * 100;
  if (percent > 0 && percent < 1) return "under 1 %";
  if (percent > 99 && percent < 100) return "over 99 %";
  return `${Math.round(percent)} %`;
}
