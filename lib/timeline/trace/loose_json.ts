/**
 * JSON as profilers write it: with `NaN` and `Infinity` (Python), `inf` and `nan` (C++ streams), numbers
 * such as `.5` and `007`, raw control characters and single backslashes in strings.
 * @module
 */

/** Strings, and runs of characters that are neither punctuation nor space. */
const TOKEN = /"(?:[^"\\]|\\[^])*"|[^\s"{}[\]:,]+/g;
/** Words for numbers that are not finite. */
const NOT_FINITE = /^[-+]?(?:nan(?:\([a-z0-9_]*\))?|inf|infinity|1\.#[a-z]+)$/i;
/** Decimal numbers, including forms that JSON does not allow. */
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const STRICT_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?$/i;
// deno-lint-ignore no-control-regex -- raw control characters are what is looked for
const CONTROL = /[\x00-\x1f]/g;
const BAD_ESCAPE = /\\(?:(["\\/bfnrt]|u[0-9a-f]{4})|)/gi;

/**
 * The value of a JSON text. Numbers that JSON has no form for become text, which is refused with its
 * value where a number is needed.
 *
 * @throws {SyntaxError} when it is not even that.
 */
export function parseLoose(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const repaired = text.replace(TOKEN, strict);
    if (repaired === text) throw cause;
    return JSON.parse(repaired);
  }
}

function strict(token: string): string {
  if (token[0] === '"') {
    return token
      .replace(BAD_ESCAPE, (all, good) => good === undefined ? `\\\\${all.slice(1)}` : all)
      .replace(CONTROL, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }
  const odd = NOT_FINITE.test(token) || (NUMBER.test(token) && !STRICT_NUMBER.test(token));
  return odd ? JSON.stringify(token) : token;
}
