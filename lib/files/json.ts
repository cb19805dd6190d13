/** JSON texts of files. @module */

/** Arrays and objects within each other that any file of this package needs, with room. */
const MOST_NESTED = 64;
const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN, CLOSE, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];

/**
 * `JSON.parse` for texts that come from anywhere: a hostile one of nothing but `[` would take 60 times
 * its size, so depth is limited before anything is made.
 *
 * @throws {SyntaxError} as that does, and for more than 64 values within each other.
 */
// deno-lint-ignore no-explicit-any -- as JSON.parse
export function parseJson(text: string): any {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(text, at);
    else if (code === CLOSE || code === CLOSE_ARRAY) depth--;
    else if ((code === OPEN || code === OPEN_ARRAY) && ++depth > MOST_NESTED) {
      throw new SyntaxError(`more than ${MOST_NESTED} values are nested at position ${at}`);
    }
  }
  return JSON.parse(text);
}

/** Position of the quote that ends the string at `at`, or the end of the text. */
function stringEnd(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === BACKSLASH) end++;
    else if (code === QUOTE) return end;
  }
  return text.length;
}
