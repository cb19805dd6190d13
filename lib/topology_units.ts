/**
 * Links and processors as people describe them, with units, turned into the numbers of a topology.
 * @module
 */
import { fail, LARGEST_RATE, object, rejectUnknown } from "./topology_fields.ts";
import { type Link, type Processor, SchemoeError, type Topology } from "./types.ts";
import { parseRate, parseTime, type RateUnit } from "./units.ts";

/** A link: `{ bandwidth: "50 GB/s", latency: "5 us" }`, or the numbers of {@linkcode Link}. */
export interface LinkOptions {
  /** Bytes a second: a text such as `50 GB/s` or `400 Gb/s`, or a number. */
  readonly bandwidth?: string | number;
  /** Start-up time: a text such as `5 us`, or seconds. */
  readonly latency?: string | number;
  /** The same in seconds, and seconds a byte, the inverse of the bandwidth. */
  readonly alpha?: number;
  /** Seconds a byte, instead of a bandwidth. */
  readonly beta?: number;
}

/** A processor: `{ flopRate: "989 TFLOP/s" }`, or the numbers of {@linkcode Processor}. */
export interface ProcessorOptions {
  /** Operations a second: a text such as `989 TFLOP/s`, or a number. */
  readonly flopRate?: string | number;
  /** Bytes of memory traffic a second: a text such as `3.35 TB/s`, or a number. */
  readonly byteRate?: string | number;
  /** Start-up time of a task: a text such as `5 us`, or seconds; `alpha` is the same in seconds. */
  readonly latency?: string | number;
  /** Seconds in which a kernel starts. */
  readonly alpha?: number;
}

/** Network cards of a node: `{ bandwidth: "400 Gb/s", cards: 8 }`, or seconds a byte as `beta`. */
export interface CardOptions {
  /** Bytes a second of a card, or a text such as `"50 GB/s"`. */
  readonly bandwidth?: string | number;
  /** Seconds a byte, instead of a bandwidth. */
  readonly beta?: number;
  /** See {@linkcode Topology}. */
  readonly cards?: number;
}

/** Who writes a smaller bandwidth than this means another unit than bytes a second. */
const LEAST_BANDWIDTH = 1000;
/** Who writes a longer latency than this, in seconds, means microseconds. */
const LONGEST_LATENCY = 1;
/** Rates of a processor between 1, the unit of models, and this are meant in tera a second. */
const LEAST_RATE = 10_000;

/** A link in seconds and seconds a byte. */
export function linkOf(name: string, given: LinkOptions = {}): Partial<Link> {
  object(name, given, '{ bandwidth: "50 GB/s", latency: "5 us" }');
  rejectUnknown(given, ["bandwidth", "latency", "alpha", "beta"], `${name}.`);
  const { bandwidth, latency, alpha, beta } = given;
  twice(name, { bandwidth, beta });
  twice(name, { latency, alpha });
  return {
    ...(bandwidth === undefined ? {} : { beta: 1 / rate(`${name}.bandwidth`, bandwidth, "B/s") }),
    ...(latency === undefined ? {} : { alpha: time(`${name}.latency`, latency) }),
    ...(alpha === undefined ? {} : { alpha }),
    ...(beta === undefined ? {} : { beta }),
  };
}

/** A processor in seconds and rates a second. */
export function processorOf(given: ProcessorOptions = {}): Partial<Processor> {
  object("processor", given, '{ flopRate: "989 TFLOP/s" }');
  rejectUnknown(given, ["flopRate", "byteRate", "latency", "alpha"], "processor.");
  const { flopRate, byteRate, latency, alpha } = given;
  twice("processor", { latency, alpha });
  return {
    ...(flopRate === undefined ? {} : { flopRate: speed("flopRate", flopRate, "FLOP/s") }),
    ...(byteRate === undefined ? {} : { byteRate: speed("byteRate", byteRate, "B/s") }),
    ...(latency === undefined ? {} : { alpha: time("processor.latency", latency) }),
    ...(alpha === undefined ? {} : { alpha }),
  };
}

/** Network cards with the seconds a byte of each. */
export function cardOf(given: CardOptions | undefined): Topology["nic"] {
  if (given === undefined) return undefined;
  object("nic", given);
  rejectUnknown(given, ["bandwidth", "beta", "cards"], "nic.");
  const { bandwidth, beta, cards } = given;
  twice("nic", { bandwidth, beta });
  return {
    beta: bandwidth === undefined ? beta! : 1 / rate("nic.bandwidth", bandwidth, "B/s"),
    ...(cards === undefined ? {} : { cards }),
  };
}

/** Refuses two words for one thing. */
function twice(name: string, pair: Readonly<Record<string, unknown>>): void {
  if (Object.values(pair).includes(undefined)) return;
  const names = Object.keys(pair).map((field) => `${name}.${field}`);
  throw new SchemoeError(
    `Cannot make the topology: give one of ${names.join(" and ")}, not both`,
  );
}

/** A bandwidth, which is no number of GB/s: 50 bytes a second are no link. */
function rate(name: string, value: string | number, unit: RateUnit): number {
  const found = read(name, value, unit);
  if (found >= LEAST_BANDWIDTH && found <= LARGEST_RATE) return found;
  const range = found > LARGEST_RATE ? `at most ${LARGEST_RATE}` : `at least ${LEAST_BANDWIDTH}`;
  return fail(name, `${range} bytes a second (write "50 GB/s", or 50e9)`, value);
}

/** A rate of a processor, which is no number of TFLOP/s. */
function speed(field: "flopRate" | "byteRate", value: string | number, unit: RateUnit): number {
  const name = `processor.${field}`;
  const found = read(name, value, unit);
  const small = found > 1 && found < LEAST_RATE;
  if (!small && !(found > LARGEST_RATE)) return found;
  const meant = unit === "FLOP/s" ? '"989 TFLOP/s", or 989e12' : '"3.35 TB/s", or 3.35e12';
  const range = small ? `at least ${LEAST_RATE}` : `at most ${LARGEST_RATE}`;
  return fail(name, `${range} ${unit} (write ${meant})`, value);
}

function read(name: string, value: string | number, unit: RateUnit): number {
  const found = typeof value === "string" ? parseRate(value, unit) : value;
  if (typeof found !== "number") {
    const example = unit === "B/s" ? "50 GB/s" : "989 TFLOP/s";
    return fail(name, `a rate such as "${example}", or a number of ${unit}`, value);
  }
  return found;
}

function time(name: string, value: string | number): number {
  const found = typeof value === "string" ? parseTime(value) : value;
  if (typeof found !== "number") {
    return fail(name, 'a time such as "5 us", or a number of seconds', value);
  }
  if (found > LONGEST_LATENCY) {
    fail(name, `at most ${LONGEST_LATENCY} s (write "5 us", or 5e-6)`, value);
  }
  return found;
}
