/**
 * Reads a JSON trace piece by piece: the events of a large trace are never all there as objects.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { parseLoose } from "./loose_json.ts";

/** Bytes of events that become objects at the same time. */
const BATCH = 1 << 18;
/** Arrays and objects within each other beyond which a value is hostile: each level costs memory and time. */
const MOST_NESTED = 200_000;
/** Larger values beside the events are left out. */
const LARGEST_HEAD = 1 << 22;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN, CLOSE, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const [TAB, LINE, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20];

/** A trace whose events are still text. */
export interface TraceText {
  /** Texts of the values beside the events, by their key: tools that merge files may repeat one. */
  readonly head: ReadonlyMap<string, readonly string[]>;
  /** The events in pieces, in the order of the file. */
  events(): Generator<readonly unknown[]>;
}

/**
 * Finds the events: the array `traceEvents` of an object, or the whole file when it is an array, whose
 * end may be missing, as the format allows for traces of programs that crashed.
 *
 * @throws {SchemoeError} saying what is wrong at which byte.
 */
export function readTraceText(bytes: Uint8Array, file: string): TraceText {
  const reader = new Reader(bytes, file);
  const first = reader.skipSpace(bytes[0] === 0xef ? 3 : 0);
  if (bytes[first] === OPEN_ARRAY) {
    const { pieces, end } = reader.elements(first, true);
    reader.nothingAfter(end);
    return { head: new Map(), events: () => reader.parse(pieces) };
  }
  if (bytes[first] !== OPEN) return reader.fail("it is not JSON: no object and no array", first);
  const { head, pieces, end } = reader.object(first);
  if (!pieces) return reader.fail('it has no array "traceEvents"', first);
  reader.nothingAfter(end);
  return { head, events: () => reader.parse(pieces) };
}

/** Elements of an array that are parsed together: their bytes and the number of the first. */
interface Piece {
  readonly begin: number;
  readonly end: number;
  readonly first: number;
}

class Reader {
  constructor(readonly bytes: Uint8Array, readonly file: string) {}

  fail(problem: string, at: number): never {
    throw new SchemoeError(`Cannot import the trace ${this.file}: ${problem}, at byte ${at}`);
  }

  skipSpace(at: number): number {
    for (;; at++) {
      const byte = this.bytes[at];
      if (byte !== SPACE && byte !== LINE && byte !== RETURN && byte !== TAB) return at;
    }
  }

  /** Content after the trace would be lost in silence. */
  nothingAfter(end: number): void {
    const at = this.skipSpace(end);
    if (at >= this.bytes.length) return;
    const text = JSON.stringify(this.#text(at, at + 20));
    this.fail(`${text} follows the trace; give each trace as a file of its own`, at);
  }

  /** Keys and values of the outermost object, events apart, and where it ends. */
  object(open: number): { head: Map<string, string[]>; pieces?: Piece[]; end: number } {
    const head = new Map<string, string[]>();
    let pieces: Piece[] | undefined;
    let at = this.skipSpace(open + 1);
    while (this.bytes[at] !== CLOSE) {
      if (this.bytes[at] !== QUOTE) this.#unexpected("a key", at);
      const keyEnd = this.#string(at);
      const key = this.#text(at + 1, keyEnd - 1);
      const colon = this.skipSpace(keyEnd);
      if (this.bytes[colon] !== COLON) this.#unexpected('":"', colon);
      const value = this.skipSpace(colon + 1);
      let end: number;
      if (key === "traceEvents" && this.bytes[value] === OPEN_ARRAY) {
        if (pieces) this.fail('it has two arrays "traceEvents"', value);
        ({ pieces, end } = this.elements(value, false));
      } else {
        end = this.#value(value);
        if (end - value < LARGEST_HEAD) {
          const texts = head.get(key) ?? [];
          head.set(key, texts);
          texts.push(this.#text(value, end));
        }
      }
      at = this.skipSpace(end);
      if (this.bytes[at] === COMMA) at = this.skipSpace(at + 1);
      else if (this.bytes[at] !== CLOSE) this.#unexpected('"," or "}"', at);
    }
    return { head, pieces, end: at + 1 };
  }

  /** Elements of an array in pieces of about BATCH bytes. */
  elements(open: number, mayEnd: boolean): { pieces: Piece[]; end: number } {
    const pieces: Piece[] = [];
    let count = 0;
    let begin = -1;
    let last = -1;
    let first = 0;
    const close = () => {
      if (begin >= 0) pieces.push({ begin, end: last, first });
      begin = -1;
    };
    let at = this.skipSpace(open + 1);
    for (;;) {
      if (at >= this.bytes.length && mayEnd) break;
      if (this.bytes[at] === CLOSE_ARRAY) break;
      if (begin < 0) [begin, first] = [at, count];
      last = this.#value(at);
      count++;
      if (last - begin >= BATCH) close();
      at = this.skipSpace(last);
      if (this.bytes[at] === COMMA) at = this.skipSpace(at + 1);
      else if (this.bytes[at] !== CLOSE_ARRAY && !(at >= this.bytes.length && mayEnd)) {
        this.#unexpected('"," or "]"', at);
      }
    }
    close();
    return { pieces, end: at + 1 };
  }

  *parse(pieces: readonly Piece[]): Generator<readonly unknown[]> {
    for (const piece of pieces) {
      try {
        yield parseLoose(`[${this.#text(piece.begin, piece.end)}]`) as unknown[];
      } catch (cause) {
        if (!(cause instanceof SyntaxError)) throw cause;
        this.#blame(piece);
      }
    }
  }

  /** Names the event of a piece that is not JSON. */
  #blame({ begin, end, first }: Piece): never {
    let number = first;
    for (let at = begin; at < end; number++) {
      const next = this.#value(at);
      const text = this.#text(at, next);
      try {
        parseLoose(text);
      } catch (cause) {
        this.fail(`event ${number} is not JSON: ${culprit(text, cause as Error)}`, at);
      }
      at = this.skipSpace(this.skipSpace(next) + 1);
    }
    return this.fail("its events are not JSON", begin);
  }

  /** Position behind a value; nested values are only counted, not looked at. */
  #value(at: number): number {
    const { bytes } = this;
    const byte = bytes[at];
    if (byte === QUOTE) return this.#string(at);
    if (byte !== OPEN && byte !== OPEN_ARRAY) return this.#plain(at);
    let depth = 0;
    for (let i = at; i < bytes.length; i++) {
      const c = bytes[i];
      if (c === QUOTE) i = this.#string(i) - 1;
      else if (c === OPEN || c === OPEN_ARRAY) {
        if (++depth > MOST_NESTED) this.fail(`more than ${MOST_NESTED} values are nested`, i);
      } else if ((c === CLOSE || c === CLOSE_ARRAY) && --depth === 0) return i + 1;
    }
    return this.#cut();
  }

  /** Position behind a number, true, false or null. */
  #plain(at: number): number {
    let end = at;
    for (; end < this.bytes.length; end++) {
      const c = this.bytes[end];
      if (
        c === COMMA || c === CLOSE || c === CLOSE_ARRAY || c === SPACE || c === TAB ||
        c === LINE || c === RETURN
      ) {
        break;
      }
    }
    if (end === at) this.#unexpected("a value", at);
    return end;
  }

  /** Position behind a string that begins with the quote at `at`. */
  #string(at: number): number {
    const { bytes } = this;
    for (let end = bytes.indexOf(QUOTE, at + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
      let slashes = 0;
      while (bytes[end - 1 - slashes] === BACKSLASH) slashes++;
      if (slashes % 2 === 0) return end + 1;
    }
    return this.#cut();
  }

  #text(begin: number, end: number): string {
    return new TextDecoder().decode(this.bytes.subarray(begin, end));
  }

  #unexpected(wanted: string, at: number): never {
    if (at >= this.bytes.length) this.#cut();
    return this.fail(`${wanted} is missing before ${JSON.stringify(this.#text(at, at + 20))}`, at);
  }

  #cut(): never {
    return this.fail("it ends in the middle of a value; it is cut off", this.bytes.length);
  }
}

/** The part of a text that a parser stumbled over. */
function culprit(text: string, { message }: Error): string {
  const place = /at position (\d+)/.exec(message);
  const from = place ? Math.max(0, Number(place[1]) - 30) : 0;
  const shown = text.slice(from, from + 60);
  // Without a position the message quotes what is around the culprit.
  return place || text.length <= 60 ? shown : `${shown}: ${message.slice(0, 120)}`;
}
