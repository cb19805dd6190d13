/** Text as tokens: its characters, or its bytes. @module */
import { aPath, checkFields, expect } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import { type BatchOptions, scatter, type TrainingData } from "./data.ts";

/** How text becomes tokens. */
export interface TextOptions {
  /** `characters` (the default): token i is the i-th of its characters in code point order; `bytes`: of UTF-8. */
  readonly tokens?: "characters" | "bytes";
  /** Share at the end that is kept for validation; default 0.05. */
  readonly validation?: number;
  /** Of the windows that are drawn; default 1. */
  readonly seed?: number;
  /** Default "text". */
  readonly name?: string;
}

/** Text as tokens, the first part for training and the last for validation. */
export interface TextData extends TrainingData {
  /** Characters by token; undefined where tokens are bytes. */
  readonly characters?: readonly string[];
  /** All tokens in order. */
  readonly tokens: Uint8Array | Uint16Array | Int32Array;
  /** Number of the tokens for training, which come first. */
  readonly trained: number;
  /** Tokens of a text. @throws {SchemoeError} for a character that the data lacks. */
  encode(text: string): Int32Array;
  /** The text of tokens. */
  decode(tokens: ArrayLike<number>): string;
  /** Windows [sequences, context + 1] evenly spaced over the part that is not trained on. */
  validation(options: Omit<BatchOptions, "step">): Int32Array;
}

const OPTIONS = ["tokens", "validation", "seed", "name"];

/**
 * A text to train on. Sequences of a step are windows at random places of the training part; those of the
 * validation are evenly spaced over the rest.
 *
 * ```ts
 * import { textData } from "@schemoe/lab/training";
 * const data = textData("to be, or not to be ".repeat(40));
 * console.assert(data.vocabulary === 8);
 * console.assert(data.decode(data.encode("not")) === "not");
 * ```
 * @param text or the bytes of UTF-8.
 * @throws {SchemoeError} for an unknown option, a text without characters, or bytes that are no UTF-8.
 */
export function textData(text: string | Uint8Array, options: TextOptions = {}): TextData {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot use the text: ${problem}`);
  };
  checkFields(options, OPTIONS, { what: "options", fail });
  const { tokens: kind = "characters", validation = 0.05, seed = 1, name = "text" } = options;
  if (kind !== "characters" && kind !== "bytes") {
    fail(`tokens must be "characters" or "bytes", got ${quoted(kind)}`);
  }
  if (!(typeof validation === "number" && validation >= 0 && validation < 1)) {
    fail(`validation must be at least 0 and below 1, got ${quoted(validation)}`);
  }
  if (!Number.isSafeInteger(seed)) fail(`seed must be an integer, got ${quoted(seed)}`);
  if (typeof text !== "string" && !(text instanceof Uint8Array)) {
    fail(`give a string, or a Uint8Array of UTF-8, got ${quoted(text)}`);
  }
  if (text.length === 0) fail("it is empty");
  const coding = kind === "bytes" ? bytes : characters(decoded(text, fail));
  const tokens = coding.encode(text);
  const trained = Math.floor((1 - validation) * tokens.length);
  return {
    name,
    vocabulary: coding.count,
    characters: coding.characters,
    tokens,
    trained,
    encode: (given) => Int32Array.from(coding.encode(given)),
    decode: (list) => coding.decode(list),
    batch({ step, sequences, context }) {
      const places = trained - context;
      if (places < 1) fail(`${trained} tokens for training have no window of ${context + 1}`);
      return windows(tokens, { sequences, context }, (i) => scatter(seed, step, i) % places);
    },
    validation({ sequences, context }) {
      const places = tokens.length - trained - context;
      if (places < 1) {
        fail(`${tokens.length - trained} tokens for validation have no window of ${context + 1}`);
      }
      return windows(
        tokens,
        { sequences, context },
        (i) => trained + Math.floor(i * (places - 1) / Math.max(1, sequences - 1)),
      );
    },
  };
}

/**
 * The same of a file.
 * @param options.name default the name of the file.
 * @throws {SchemoeError} when it cannot be read.
 */
export async function textFile(path: string | URL, options: TextOptions = {}): Promise<TextData> {
  expect("textFile", "path", path, aPath);
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (cause) {
    throw new SchemoeError(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  return textData(bytes, { name: `${path}`.split("/").at(-1), ...options });
}

function windows(
  tokens: TextData["tokens"],
  { sequences, context }: { readonly sequences: number; readonly context: number },
  begin: (sequence: number) => number,
): Int32Array {
  const length = context + 1;
  const found = new Int32Array(sequences * length);
  for (let i = 0; i < sequences; i++) {
    const at = begin(i);
    found.set(tokens.subarray(at, at + length), i * length);
  }
  return found;
}

interface Coding {
  readonly count: number;
  readonly characters?: readonly string[];
  encode(text: string | Uint8Array): TextData["tokens"];
  decode(tokens: ArrayLike<number>): string;
}

const bytes: Coding = {
  count: 256,
  encode: (text) => typeof text === "string" ? new TextEncoder().encode(text) : text,
  decode: (tokens) => new TextDecoder().decode(Uint8Array.from(tokens)),
};

/** Each character of a text by its place in code point order. */
function characters(text: string): Coding {
  const list = [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  const places = new Map(list.map((character, i) => [character, i]));
  return {
    count: list.length,
    characters: list,
    encode(given) {
      const all = typeof given === "string" ? given : new TextDecoder().decode(given);
      // a list of the characters of a long text would be more than an engine of JavaScript allows
      const tokens = list.length <= 256 ? new Uint8Array(all.length) : new Int32Array(all.length);
      let count = 0;
      for (const character of all) {
        const token = places.get(character);
        if (token === undefined) {
          throw new SchemoeError(
            `Cannot make tokens: ${quoted(character)} at character ${count} is none of the data's`,
          );
        }
        tokens[count++] = token;
      }
      return count === tokens.length ? tokens : tokens.slice(0, count);
    },
    decode: (tokens) => Array.from(tokens, (token) => list[token]).join(""),
  };
}

/** Bytes of which a string surely holds the characters: V8 has at most 2^29 - 24. */
const MOST_BYTES = 2 ** 29 - 24;

function decoded(text: string | Uint8Array, fail: (problem: string) => never): string {
  if (typeof text === "string") return text;
  if (text.length > MOST_BYTES) {
    fail(
      `its ${text.length} bytes may be more characters than a string holds; take tokens: "bytes"`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
  } catch {
    return fail('its bytes are no UTF-8; take tokens: "bytes"');
  }
}
