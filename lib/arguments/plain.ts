/** Kinds of plain values: numbers, text, flags, functions. @module */
import { didYouMean, quoted } from "../words.ts";
import { type Kind, kind } from "./kind.ts";

const isNumber = (value: unknown): value is number => typeof value === "number";

/** More ranks, experts or tokens than this no world has. */
const MOST_ROWS = 2 ** 24;
/** More elements than this fit into no array of numbers. */
const MOST_ELEMENTS = 2 ** 32;

/** Checked further in, by something that knows more. */
export const anything: Kind = kind("given", () => true);
/** Anything but what was forgotten. */
export const something: Kind = kind("given", (value) => value !== undefined && value !== null);
export const aFlag: Kind = kind("true or false", (value) => typeof value === "boolean");
export const aText: Kind = kind("text", (value) => typeof value === "string");
export const aFunction: Kind = kind("a function", (value) => typeof value === "function");

/** Any number, infinite too. */
export const aNumber: Kind = kind("a number", (value) => isNumber(value) && !Number.isNaN(value));
/** A number that arithmetic may have spoilt: NaN is shown as it is. */
export const anyNumber: Kind = kind("a number", isNumber);
export const finite: Kind = kind("a finite number", Number.isFinite);
export const atLeastZero: Kind = kind(
  "a number of at least 0",
  (value) => Number.isFinite(value) && value as number >= 0,
);
export const positive: Kind = kind(
  "a positive number",
  (value) => Number.isFinite(value) && value as number > 0,
);
export const aShare: Kind = kind(
  "a number from 0 to 1",
  (value) => isNumber(value) && value >= 0 && value <= 1,
);

/** How many of something that may be none. */
export const aSize: Kind = kind(
  "a non-negative integer",
  (value) => Number.isSafeInteger(value) && value as number >= 0,
);
/** How many of something. */
export const aCount: Kind = kind(
  "a positive integer",
  (value) => Number.isSafeInteger(value) && value as number > 0,
);
/** How many numbers an array is to hold. */
export const elementCount: Kind = kind(
  `a non-negative integer of at most ${MOST_ELEMENTS}`,
  (value) => Number.isInteger(value) && value as number >= 0 && value as number <= MOST_ELEMENTS,
);
/** How many ranks, experts or tokens a table is to have. */
export const manyAtMost: Kind = kind(
  `a positive integer of at most ${MOST_ROWS}`,
  (value) => Number.isInteger(value) && value as number > 0 && value as number <= MOST_ROWS,
);
export const anInteger: Kind = kind("an integer", Number.isSafeInteger);

/** A file or folder. */
export const aPath: Kind = kind(
  'a path or file URL, such as "out/run"',
  (value) => typeof value === "string" && value !== "" || value instanceof URL,
);
export const aSignal: Kind = kind(
  "an AbortSignal, such as interruptSignal()",
  (value) => value instanceof AbortSignal,
);
export const aByteArray: Kind = kind(
  "a Uint8Array, such as await Deno.readFile(path)",
  (value) => value instanceof Uint8Array,
);

/** One of a few names. */
export function oneOf(names: readonly string[]): Kind {
  const what = `one of ${names.join(", ")}`;
  return {
    what,
    accepts: (value) => names.includes(value as string),
    fault: (name, value) =>
      `${name} must be ${what}, got ${quoted(value)}${didYouMean(value, names)}`,
  };
}
