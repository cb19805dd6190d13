/** Messages of the control connections: a JSON object, and bytes for some. @module */
import { SchemoeError } from "../types.ts";
import { parseJson } from "../files/json.ts";

/** The object of a message; `kind` tells what the rest is. */
export type Fields = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** One message. */
export interface Frame {
  readonly fields: Fields;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Largest parts of a message that are accepted, in bytes. */
export interface FrameLimits {
  readonly fields: number;
  readonly body: number;
}

/** Of a stranger, who says little. */
export const STRANGER: FrameLimits = { fields: 4096, body: 0 };
/** Of a process that has joined: bodies are Programs and times. */
export const MEMBER: FrameLimits = { fields: 1 << 20, body: 1 << 30 };

/** How errors of this file begin, for those who say whose message it was. */
export const READING = "Cannot read a message: ";

/** "SMCT" */
const MAGIC = 0x54434d53;
const HEAD_BYTES = 12;
/** Bytes for which there is room before anything has arrived. */
const FIRST_BYTES = 1 << 20;

/**
 * Sends and receives messages over a connection. A message is its magic, the bytes of the object and of
 * the body as little-endian uint32, then both.
 */
export class Frames {
  #limits: FrameLimits;
  #sending: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(readonly connection: Deno.TcpConn, limits: FrameLimits) {
    this.#limits = limits;
    connection.setNoDelay(true);
  }

  /** The other side has joined. */
  trust(): void {
    this.#limits = MEMBER;
  }

  /** Sends after all that was sent before; rejects when the connection is broken. */
  send(fields: Fields, body: Uint8Array = new Uint8Array()): Promise<void> {
    const text = new TextEncoder().encode(JSON.stringify(fields));
    const bytes = new Uint8Array(HEAD_BYTES + text.length + body.length);
    const head = new DataView(bytes.buffer);
    [MAGIC, text.length, body.length].forEach((value, i) => head.setUint32(4 * i, value, true));
    bytes.set(text, HEAD_BYTES);
    bytes.set(body, HEAD_BYTES + text.length);
    const sent = this.#sending.then(() => this.#write(bytes));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /**
   * The next message; undefined when the connection has ended.
   *
   * @throws {SchemoeError} for what is no message, or one that is too large; read no further then.
   */
  async receive(): Promise<Frame | undefined> {
    const head = await this.#read(HEAD_BYTES, true);
    if (!head) return undefined;
    const view = new DataView(head.buffer);
    if (view.getUint32(0, true) !== MAGIC) throw bad("what is no message");
    const sizes = [view.getUint32(4, true), view.getUint32(8, true)];
    const limits = [this.#limits.fields, this.#limits.body];
    const large = sizes.findIndex((size, i) => size > limits[i]);
    if (large >= 0) {
      throw bad(`a message of ${sizes[large]} bytes, at most ${limits[large]} are allowed`);
    }
    const text = await this.#read(sizes[0], false);
    const body = await this.#read(sizes[1], false);
    return { fields: parse(text!), body: body! };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.connection.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.subarray(at));
  }

  /** Undefined where it ends before the first byte and that is allowed. */
  async #read(count: number, mayEnd: boolean): Promise<Uint8Array<ArrayBuffer> | undefined> {
    // Memory follows what has arrived, not what was announced.
    let bytes = new Uint8Array(Math.min(count, FIRST_BYTES));
    for (let at = 0; at < count;) {
      if (at === bytes.length) bytes = grown(bytes, Math.min(count, 2 * at));
      const got = await this.connection.read(bytes.subarray(at));
      if (got === null) {
        if (at === 0 && mayEnd) return undefined;
        throw bad("only a part of a message");
      }
      at += got;
    }
    return bytes;
  }
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

function parse(text: Uint8Array): Fields {
  try {
    const fields = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(text));
    if (typeof fields?.kind === "string") return fields;
  } catch { /* the same as an object of another shape */ }
  throw bad("a message that is no JSON object with a kind");
}

function bad(what: string): SchemoeError {
  return new SchemoeError(`${READING}it sent ${what}`);
}
