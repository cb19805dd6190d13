/** Connections that do not behave. */
import { assertEquals } from "@std/assert";

export const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

export const connect = (port: number): Promise<Deno.TcpConn> =>
  Deno.connect({ hostname: "127.0.0.1", port });

/** A message whose head may announce other sizes than it has. */
export function textFrame(text: string, sizes?: [number, number]): Uint8Array<ArrayBuffer> {
  const body = bytesOf(text);
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  const [fields, rest] = sizes ?? [body.length, 0];
  [0x54434d53, fields, rest].forEach((value, i) => view.setUint32(4 * i, value, true));
  bytes.set(body, 12);
  return bytes;
}

/** Sends bytes, and gives what comes back until the connection ends. */
export async function say(port: number, bytes: Uint8Array): Promise<string> {
  using connection = await connect(port);
  await connection.write(bytes);
  const chunks: number[] = [];
  const buffer = new Uint8Array(4096);
  for (let got; (got = await connection.read(buffer).catch(() => null)) !== null;) {
    chunks.push(...buffer.subarray(0, got));
  }
  return new TextDecoder().decode(Uint8Array.from(chunks));
}

/**
 * Connects, sends bytes and breaks off with a reset, all before this process can accept the connection;
 * Deno itself cannot set SO_LINGER.
 */
export function reset(port: number, bytes: Uint8Array<ArrayBuffer> = new Uint8Array()): void {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const [AF_INET, SOCK_STREAM, SOL_SOCKET, SO_LINGER] = [2, 1, 1, 13];
  const address = Uint8Array.of(
    AF_INET,
    0,
    port >> 8,
    port & 255,
    127,
    0,
    0,
    1,
    ...Array(8).fill(0),
  );
  const { socket, connect, setsockopt, send, close } = libc.symbols;
  const fd = socket(AF_INET, SOCK_STREAM, 0);
  assertEquals(connect(fd, address, address.length), 0);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8);
  if (bytes.length > 0) send(fd, bytes, BigInt(bytes.length), 0);
  close(fd);
  libc.close();
}
