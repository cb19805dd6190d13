import { assert, assertEquals, assertRejects } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { type Frame, Frames, MEMBER, STRANGER } from "../../lib/workers/frames.ts";
import { fakeWorkers } from "./fake_workers.ts";

Deno.test("Frames receives what it sends, in order, and no more than its limits", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [here, there] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const [a, b] = [new Frames(here, STRANGER), new Frames(there, STRANGER)];
  b.trust();
  const body = new Uint8Array(3_000_000).map((_, i) => i * 31);
  const sent = Promise.all([a.send({ kind: "x", n: 1 }, body), a.send({ kind: "y", text: "ü" })]);
  const first = await b.receive();
  assertEquals(first!.fields, { kind: "x", n: 1 });
  assertEquals(first!.body, body);
  assertEquals((await b.receive())!.fields, { kind: "y", text: "ü" });
  await sent;
  const large = assertRejects(() => a.receive(), SchemoeError, "a message of 1 bytes, at most 0");
  await b.send({ kind: "z" }, new Uint8Array(1));
  await large;
  a.close();
  assert(await b.receive() === undefined);
  b.close();
});

/** Pseudorandom numbers below `below`, the same for a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * below);
  };
}

/** A connection that gives these bytes in pieces of random size, and then ends. */
function replay(bytes: Uint8Array, next: (below: number) => number): Deno.TcpConn {
  let at = 0;
  const connection = {
    setNoDelay() {},
    close() {},
    read(into: Uint8Array) {
      if (at === bytes.length) return Promise.resolve(null);
      const count = Math.min(into.length, bytes.length - at, 1 + next(4000));
      into.set(bytes.subarray(at, at + count));
      at += count;
      return Promise.resolve(count);
    },
  };
  return connection as unknown as Deno.TcpConn;
}

function message(fields: string, body: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(fields);
  const bytes = new Uint8Array(12 + text.length + body.length);
  const head = new DataView(bytes.buffer);
  [0x54434d53, text.length, body.length].forEach((value, i) => head.setUint32(4 * i, value, true));
  bytes.set(text, 12);
  bytes.set(body, 12 + text.length);
  return bytes;
}

const EDGES = [0, 1, 11, 12, 4096, 4097, 1 << 20, (1 << 20) + 1, 2 ** 30, 2 ** 30 + 1, 2 ** 32 - 1];

Deno.test("Frames.receive() gives whole messages or a SchemoeError for 3,000 damaged ones", async () => {
  const next = random(11);
  let [whole, refused] = [0, 0];
  for (let round = 0; round < 3000; round++) {
    const parts = Array.from({ length: 1 + next(3) }, () => {
      const text = JSON.stringify({ kind: "x", text: "ü".repeat(next(40)), n: next(1000) });
      return message(text, new Uint8Array(next(300)).map(() => next(256)));
    });
    let bytes = new Uint8Array(parts.flatMap((part) => [...part]));
    const view = new DataView(bytes.buffer);
    const damage = next(6);
    if (damage === 0) bytes = bytes.subarray(0, next(bytes.length));
    else if (damage === 1) {
      for (let i = 0; i <= next(8); i++) bytes[next(bytes.length)] = next(256);
    } else if (damage === 2) view.setUint32(4 + 4 * next(2), EDGES[next(EDGES.length)], true);
    else if (damage === 3) bytes.copyWithin(next(bytes.length), next(bytes.length));
    else if (damage === 4) bytes = new Uint8Array(next(200)).map(() => next(256));
    const frames = new Frames(replay(bytes, next), STRANGER);
    if (next(2) === 0) frames.trust();
    try {
      for (let frame: Frame | undefined; (frame = await frames.receive());) {
        assertEquals(typeof frame.fields.kind, "string");
        whole++;
      }
      // Only where the bytes end does nothing follow.
    } catch (error) {
      if (!(error instanceof SchemoeError)) throw error;
      assert(error.message.startsWith("Cannot read a message: it sent "), error.message);
      refused++;
    }
  }
  assert(whole > 500 && refused > 500, `${whole} whole, ${refused} refused`);
});

Deno.test("Frames.receive() takes memory for what has arrived, not for what was announced", async () => {
  const bytes = message("{}", new Uint8Array());
  new DataView(bytes.buffer).setUint32(8, MEMBER.body, true);
  let largest = 0;
  const connection = replay(bytes, random(1));
  const read = connection.read.bind(connection);
  connection.read = (into) => {
    largest = Math.max(largest, into.length);
    return read(into);
  };
  const frames = new Frames(connection, MEMBER);
  await assertRejects(() => frames.receive(), SchemoeError);
  assert(largest <= 1 << 20, `${largest} bytes`);
});

const VALUES = [
  undefined,
  null,
  -1,
  0,
  1,
  2,
  1.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 31),
  "",
  "1",
  "x".repeat(70),
  true,
  [],
  {},
  [[]],
  { length: 1e9 },
  { first: 0, ranks: 1 },
  { first: -1, ranks: 4e9 },
  "00".repeat(32),
  "127.0.0.1",
  [{ first: 0, ranks: 1, host: "127.0.0.1", port: 1, pid: 1 }],
];
const ORDER = {
  engine: 1,
  nodes: 1,
  ranksPerNode: 2,
  span: { first: 0, ranks: 1 },
  nonce: "0a".repeat(32),
  program: 1,
  operations: 1,
  run: 1,
  start: "0",
  timeLimit: 0.01,
  gpus: undefined,
  self: 0,
  patience: 0.01,
  all: [VALUES.at(-1)],
};
const FIELDS = Object.keys(ORDER);
const KINDS = ["open", "connect", "prepare", "release", "run", "cancel", "close", "what", "ping"];

Deno.test("A worker answers 1,500 orders of random fields, each with done or failed, and still works", async () => {
  const { workers, served, members } = await fakeWorkers((parts, order) => parts.answer(order));
  const next = random(23);
  let failed = 0;
  for (let round = 0; round < 1500; round++) {
    const fields: Record<string, unknown> = { ...ORDER, kind: KINDS[next(KINDS.length)] };
    for (let i = next(3); i > 0; i--) {
      fields[FIELDS[next(FIELDS.length)]] = VALUES[next(VALUES.length)];
    }
    // Nobody else connects or runs, which would be waited for.
    if (typeof fields.timeLimit !== "number" || fields.timeLimit > 0.01) fields.timeLimit = 0.01;
    if (typeof fields.patience !== "number" || fields.patience > 0.01) fields.patience = 0.01;
    const body = new Uint8Array(next(64)).map(() => next(256));
    await members[0].ask(fields as { kind: string }, body).catch((error) => {
      assert(error instanceof SchemoeError);
      failed++;
    });
    assertEquals(members[0].gone, undefined);
  }
  assert(failed > 500, `${failed} failed`);
  await members[0].ask({ kind: "close", engine: 1 }).catch(() => {});
  const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  engine.close();
  await workers.close();
  await served;
});
