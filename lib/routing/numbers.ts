/** Lines of numbers. @module */
import { SchemoeError } from "../types.ts";

/**
 * Numbers of each line that is not empty, separated by commas or blanks.
 * @throws {SchemoeError} naming a line with something else than numbers of at least 0.
 */
export function parseNumbers(
  text: string,
  what: string,
  firstLine = 1,
): { readonly line: number; readonly values: number[] }[] {
  const rows = text.split(/\r?\n/).map((line, i) => ({ line: i + firstLine, text: line.trim() }))
    .filter(({ text }) => text !== "" && !text.startsWith("#"))
    .map(({ line, text }) => {
      const fields = text.split(/\s*,\s*|\s+/);
      const values = fields.map((field) => field === "" ? NaN : Number(field));
      const odd = values.findIndex((value) => !(value >= 0 && value < Infinity));
      if (odd < 0) return { line, values };
      throw new SchemoeError(
        `Cannot read ${what}: line ${line} has "${fields[odd]}", not a number of at least 0`,
      );
    });
  if (rows.length === 0) throw new SchemoeError(`Cannot read ${what}: there are no numbers`);
  return rows;
}
