/** Options of the functions that bring processes together. @module */
import { checkFields } from "../arguments/mod.ts";
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
  checkFields(options, known, {
    what: "options",
    fail(problem) {
      throw new SchemoeError(`${purpose}: ${problem}`);
    },
  });
  const { timeLimit } = options;
  if (timeLimit === undefined || (typeof timeLimit === "number" && timeLimit > 0)) return;
  throw new SchemoeError(`${purpose}: the time limit ${timeLimit} is not positive`);
}
