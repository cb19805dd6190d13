/**
 * One connection of ZeroMQ's wire protocol, as much as a Jupyter client needs: ZMTP 3.0 without
 * security (https://rfc.zeromq.org/spec/23).
 * @module
 */
import { SchemoeError } from "../../types.ts";

/** The greeting of each side: signature, version 3.0, mechanism NULL, client. */
const GREETING = Uint8Array.from({ length: 64 }, (_, i) => {
  const mechanism = [...new TextEncoder().encode("NULL")];
  return ({ 0: 0xff, 9: 0x7f, 10: 3 } as Record<number, number>)[i] ?? mechanism[i - 12] ?? 0;
});
/** Bits of a frame's first byte. */
const [MORE, LONG, COMMAND] = [1, 2, 4];

/** A message: one or more frames. */
export type Frames = readonly Uint8Array<ArrayBuffer>[];

/** A DEALER or SUB socket with one peer. */
export class Connection {
  readonly #socket: Deno.TcpConn;
  #unread = new Uint8Array();

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects, shakes hands and, as SUB, asks for everything. */
  static async open(port: number, type: "DEALER" | "SUB"): Promise<Connection> {
    const connection = new Connection(await Deno.connect({ hostname: "127.0.0.1", port }));
    await connection.#write(GREETING);
    await connection.#read(GREETING.length);
    await connection.#write(frame(ready(type), COMMAND));
    if ((await connection.#frame()).flags !== COMMAND) {
      throw new SchemoeError(`Cannot talk to port ${port}: it does not speak ZMTP 3`);
    }
    if (type === "SUB") await connection.send([Uint8Array.of(1)]);
    return connection;
  }

  /** Sends one message; only one at a time. */
  async send(frames: Frames): Promise<void> {
    for (const [i, body] of frames.entries()) {
      await this.#write(frame(body, i < frames.length - 1 ? MORE : 0));
    }
  }

  /** The next message, undefined when the peer is gone; only one at a time. */
  async receive(): Promise<Frames | undefined> {
    const frames: Uint8Array<ArrayBuffer>[] = [];
    try {
      for (;;) {
        const { flags, body } = await this.#frame();
        if (flags & COMMAND) continue;
        frames.push(body);
        if (!(flags & MORE)) return frames;
      }
    } catch (error) {
      if (error instanceof Gone || error instanceof Deno.errors.ConnectionReset) return undefined;
      throw error;
    }
  }

  close(): void {
    this.#socket.close();
  }

  async #frame(): Promise<{ flags: number; body: Uint8Array<ArrayBuffer> }> {
    const [flags] = await this.#read(1);
    const size = await this.#read(flags & LONG ? 8 : 1);
    const view = new DataView(size.buffer);
    const bytes = flags & LONG ? Number(view.getBigUint64(0)) : view.getUint8(0);
    return { flags: flags & (MORE | COMMAND), body: await this.#read(bytes) };
  }

  async #read(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(bytes);
    let filled = 0;
    while (filled < bytes) {
      if (this.#unread.length === 0) {
        const chunk = new Uint8Array(1 << 16);
        const read = await this.#socket.read(chunk);
        if (read === null) throw new Gone();
        this.#unread = chunk.subarray(0, read);
      }
      const part = this.#unread.subarray(0, bytes - filled);
      whole.set(part, filled);
      filled += part.length;
      this.#unread = this.#unread.subarray(part.length);
    }
    return whole;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }
}

/** The peer closed the connection. */
class Gone extends Error {}

function frame(body: Uint8Array, flags: number): Uint8Array {
  const short = body.length < 256;
  const head = short ? 2 : 9;
  const bytes = new Uint8Array(head + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, flags | (short ? 0 : LONG));
  if (short) view.setUint8(1, body.length);
  else view.setBigUint64(1, BigInt(body.length));
  bytes.set(body, head);
  return bytes;
}

/** The command that tells the peer what kind of socket this is. */
function ready(type: string): Uint8Array {
  const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
  return Uint8Array.of(...text("READY"), ...text("Socket-Type"), 0, 0, 0, ...text(type));
}
