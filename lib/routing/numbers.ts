/** Lines of numbers. @module */
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

/** Where a text is from. */
export interface TextSource {
  /** Name of the file, for errors. */
  readonly file?: string;
}

/** A line and its number, from 1. */
export interface TextLine {
  readonly line: number;
  readonly text: string;
}

/** Lines of a text but empty ones and comments (`#`), without the byte order mark of some editors. */
export function linesOf(
  text: string,
  { comments = true }: { readonly comments?: boolean } = {},
): TextLine[] {
  if (typeof text !== "string") {
    throw new SchemoeError(`Cannot read the text: give a string, got ${quoted(text)}`);
  }
  return text.replace(/^\uFEFF/, "").split(/\r?\n/)
    .map((line, i) => ({ line: i + 1, text: line.trim() }))
    .filter(({ text }) => text !== "" && !(comments && text.startsWith("#")));
}

/** How errors begin. */
export const cannotRead = (what: string, { file }: TextSource): string =>
  `Cannot read ${what}${file === undefined ? "" : ` ${quoted(file)}`}`;

const DECIMAL = /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Decimal numbers of each line, separated by commas or blanks.
 * @throws {SchemoeError} naming line, place and text of something else than a number of at least 0.
 */
export function parseNumbers(
  lines: readonly TextLine[],
  what: string,
  source: TextSource = {},
): { readonly line: number; readonly values: number[] }[] {
  if (lines.length === 0) {
    throw new SchemoeError(`${cannotRead(what, source)}: there are no numbers`);
  }
  return lines.map(({ line, text }) => {
    const fields = text.split(/\s*,\s*|\s+/);
    const values = fields.map((field) => DECIMAL.test(field) ? Number(field) : NaN);
    const odd = values.findIndex((value) => !(value < Infinity));
    if (odd < 0) return { line, values };
    throw new SchemoeError(
      `${cannotRead(what, source)}: line ${line} has ${quoted(fields[odd])} in place ${
        odd + 1
      }, not a number of at least 0`,
    );
  });
}
