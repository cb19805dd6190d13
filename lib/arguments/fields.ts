/** Names of the fields of an object, for functions whose errors begin in their own way. @module */
import { quoted } from "../words.ts";
import { isObject } from "./kind.ts";
import { unknownName } from "./made.ts";

/**
 * Looks at the names of an object's fields.
 * @param at.of what a name is: default "an option", or "an option of WHAT" where `what` is not "options".
 * @throws by `fail` for a field that is not among the known ones, and for what is no object.
 */
export function checkFields(
  value: object,
  known: readonly string[],
  at: {
    readonly what: string;
    readonly of?: string;
    readonly fail: (problem: string) => never;
  },
): void {
  const { what, fail, of = what === "options" ? "an option" : `an option of ${what}` } = at;
  if (!isObject(value)) {
    fail(`${what} must be an object of ${known.join(", ")}, got ${quoted(value)}`);
  }
  const unknown = unknownName(value, known, of);
  if (unknown !== undefined) fail(unknown);
}
