/**
 * Rates and times in the units that people write: `50 GB/s`, `989 TFLOP/s`, `5 us`.
 * @module
 */

/** Powers of ten, and of two. */
const PREFIXES: Readonly<Record<string, number>> = { "": 0, k: 3, K: 3, M: 6, G: 9, T: 12, P: 15 };
const BINARY: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40 };
const TIMES: Readonly<Record<string, number>> = {
  s: 0,
  ms: -3,
  us: -6,
  "µs": -6,
  "μs": -6,
  ns: -9,
};
const NUMBER = String.raw`\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*`;
const RATE = new RegExp(
  String.raw`^${NUMBER}([KMGT]i|[kKMGTP]?)(B|b|bit|bits|byte|bytes|FLOP|FLOPs|FLOPS)(/s|ps)?\s*$`,
);
const TIME = new RegExp(`^${NUMBER}(s|ms|us|µs|μs|ns)\\s*$`);

/** What a rate counts; bits are eighths of bytes. */
export type RateUnit = "B/s" | "FLOP/s";

/** Units a second of a text such as `50 GB/s`, `400 Gb/s` or `989 TFLOP/s`; undefined when it is none. */
export function parseRate(text: string, unit: RateUnit): number | undefined {
  const [, number, prefix, what, per] = text.match(RATE) ?? [];
  if (number === undefined) return undefined;
  const flops = what.startsWith("FLOP");
  // "989 TFLOPS" is a rate as it is, "50 GB" is none
  if (per === undefined && what !== "FLOPS" && what !== "FLOPs") return undefined;
  if (flops !== (unit === "FLOP/s")) return undefined;
  const bits = what === "b" || what.startsWith("bit");
  const counted = Object.hasOwn(BINARY, prefix)
    ? Number(number) * 2 ** BINARY[prefix]
    : timesTenTo(number, PREFIXES[prefix]);
  return counted / (bits ? 8 : 1);
}

/** Seconds of a text such as `5 us`; undefined when it is none. */
export function parseTime(text: string): number | undefined {
  const [, number, unit] = text.match(TIME) ?? [];
  return number === undefined ? undefined : timesTenTo(number, TIMES[unit]);
}

/** A decimal text times a power of ten, rounded once: `5 us` is 5e-6, not 4.9999999999999996e-6. */
function timesTenTo(number: string, power: number): number {
  const [digits, exponent = "0"] = number.split("e");
  return Number(`${digits}e${Number(exponent) + power}`);
}

/** A rate as people write it, at most four digits: `50 GB/s`. */
export function rateText(rate: number, unit: RateUnit): string {
  const prefixes = ["", "k", "M", "G", "T", "P"];
  let at = 0;
  while (Math.abs(rate) >= 999.95 && at < prefixes.length - 1) {
    rate /= 1000;
    at++;
  }
  return `${Number(rate.toPrecision(4))} ${prefixes[at]}${unit}`;
}

/** Seconds as people write them, at most four digits: `5 us`. */
export function timeText(seconds: number): string {
  if (seconds === 0) return "0 us";
  const [unit, size] = ([["ns", 1e-9], ["us", 1e-6], ["ms", 1e-3], ["s", 1]] as const)
    .findLast(([, size]) => seconds >= size * 0.99995) ?? ["ns", 1e-9];
  return `${Number((seconds / size).toPrecision(4))} ${unit}`;
}
