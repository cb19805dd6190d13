/**
 * Checks of the fields of a topology, with errors that name them.
 * @module
 */
import { SchemoeError } from "./types.ts";
import { didYouMean, quoted } from "./words.ts";

/** No link is slower than this many bytes a second, nor starts as long as this many seconds. */
const SLOWEST = 1e-3;
const LONGEST = 3600;
/** No link, memory or processor does more in a second. */
export const LARGEST_RATE = 1e21;

export function start(name: string, value: number): void {
  notText(name, value, name.replace("alpha", "latency"));
  atLeastZero(name, value);
  if (value > LONGEST) fail(name, `at most ${LONGEST}: seconds, "5 us" as latency`, value);
}

export function perByte(name: string, value: number): void {
  notText(name, value, name.replace("beta", "bandwidth"));
  atLeastZero(name, value);
  if (value > 0 && value * LARGEST_RATE < 1) {
    fail(name, `0 or at least ${1 / LARGEST_RATE}: seconds a byte`, value);
  }
  if (value * SLOWEST <= 1) return;
  const meant = name.replace("beta", "bandwidth");
  fail(
    name,
    `at most ${1 / SLOWEST}: seconds a byte (a rate in bytes a second is ${meant})`,
    value,
  );
}

/** Text with a unit belongs to another field. */
function notText(name: string, value: unknown, other: string): void {
  if (typeof value === "string" && /[a-z]/i.test(value) && other !== name) {
    fail(name, `a number; text with a unit is ${other}`, value);
  }
}

export function count(name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) fail(name, "a positive integer", value);
}

function atLeastZero(name: string, value: unknown): void {
  if (!Number.isFinite(value) || (value as number) < 0) fail(name, "a number of at least 0", value);
}

export function object(name: string, value: unknown, example = ""): void {
  if (typeof value === "object" && value !== null) return;
  fail(name, "an object", value, example && `; write ${example}`);
}

export function rejectUnknown(value: object, known: readonly string[], prefix = ""): void {
  const foreign = Object.keys(value).find((key) => !known.includes(key));
  if (foreign === undefined) return;
  const names = known.map((name) => prefix + name);
  throw new SchemoeError(
    `Cannot make the topology: "${prefix}${foreign}" is none of its fields (${names.join(", ")})` +
      didYouMean(foreign, known),
  );
}

export function fail(name: string, expected: string, got: unknown, hint = ""): never {
  throw new SchemoeError(
    `Cannot make the topology: ${name} must be ${expected}, got ${quoted(got)}${hint}`,
  );
}
