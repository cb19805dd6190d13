/** Options of the functions that bring processes together. @module */
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

/**
 * @param purpose begins the message, such as `Cannot spawn the workers`.
 * @throws {SchemoeError} for an option that is unknown, or a time limit that is not a number above 0.
 */
export function checkOptions(
  options: { readonly timeLimit?: number },
  known: readonly string[],
  purpose: string,
): void {
  if (typeof options !== "object" || options === null) {
    throw new SchemoeError(
      `${purpose}: options are an object such as { timeLimit: 30 }, got ${quoted(options)}`,
    );
  }
  const foreign = Object.keys(options).find((key) => !known.includes(key));
  if (foreign) {
    throw new SchemoeError(`${purpose}: "${foreign}" is not an option (${known.join(", ")})`);
  }
  const { timeLimit } = options;
  if (timeLimit === undefined || (typeof timeLimit === "number" && timeLimit > 0)) return;
  throw new SchemoeError(`${purpose}: the time limit ${timeLimit} is not positive`);
}
