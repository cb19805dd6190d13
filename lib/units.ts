/**
 * Rates and times in the units that people write: `50 GB/s`, `989 TFLOP/s`, `5 us`.
 * @module
 */

const PREFIXES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};
const TIMES: Readonly<Record<string, number>> = {
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  "µs": 1e-6,
  "μs": 1e-6,
  ns: 1e-9,
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
  return Number(number) * PREFIXES[prefix] / (bits ? 8 : 1);
}

/** Seconds of a text such as `5 us`; undefined when it is none. */
export function parseTime(text: string): number | undefined {
  const [, number, unit] = text.match(TIME) ?? [];
  return number === undefined ? undefined : Number(number) * TIMES[unit];
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
