import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { type Frame, Frames, STRANGER } from "../../lib/workers/frames.ts";
import { PartHost } from "../../lib/workers/host.ts";
import { joinDriver, serveParts, serveWorker } from "../../lib/workers/join.ts";
import type { Member } from "../../lib/workers/member.ts";
import { newToken, Workers } from "../../lib/workers/mod.ts";
import { Rendezvous } from "../../lib/workers/rendezvous.ts";
import { computeAndExchange, sleep } from "./fixture.ts";

/** Sends bytes to a rendezvous, and gives what comes back until the connection ends. */
async function say(port: number, bytes: Uint8Array): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(bytes);
  const chunks: number[] = [];
  const buffer = new Uint8Array(4096);
  for (let got; (got = await connection.read(buffer).catch(() => null)) !== null;) {
    chunks.push(...buffer.subarray(0, got));
  }
  return new TextDecoder().decode(Uint8Array.from(chunks));
}

function frame(text: string, sizes?: [number, number]): Uint8Array {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  const [fields, rest] = sizes ?? [body.length, 0];
  [0x54434d53, fields, rest].forEach((value, i) => view.setUint32(4 * i, value, true));
  bytes.set(body, 12);
  return bytes;
}

const place = (rendezvous: Rendezvous, token: string, process = 1) => ({
  ...{ process, processes: 2, host: "127.0.0.1", port: rendezvous.port, token, timeLimit: 5 },
});

Deno.test("Rendezvous listens on this machine only unless told otherwise", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 1 });
  assertEquals(rendezvous.host, "127.0.0.1");
  assertEquals(await rendezvous.gather(1), []);
});

Deno.test("Rendezvous turns strangers away, names them, and lets a worker in all the same", async () => {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 2 });
  await say(rendezvous.port, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await say(rendezvous.port, frame("{}", [1 << 30, 0]));
  await say(rendezvous.port, frame("{}", [2, 1]));
  await say(rendezvous.port, frame("not JSON"));
  const refused = frame(JSON.stringify({ kind: "join", token: newToken(), process: 1 }));
  assertMatch(await say(rendezvous.port, refused), /its token is not the session's/);
  const wrong = await assertRejects(() => serveWorker(place(rendezvous, newToken())), SchemoeError);
  assertMatch(wrong.message, /Cannot join process 0 at .*: its token is not the session's/);
  const number = await assertRejects(() => serveWorker(place(rendezvous, token, 2)), SchemoeError);
  assertMatch(number.message, /process 2 is not one of 1 to 1/);

  const serving = serveWorker(place(rendezvous, token));
  const members = await rendezvous.gather(5);
  assertEquals(members.map(({ process, pid }) => [process, pid]), [[1, Deno.pid]]);
  members[0].close("done");
  await serving;
});

Deno.test("Rendezvous.gather() names the processes that did not join, and why strangers did not", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 4 });
  await say(rendezvous.port, new TextEncoder().encode("what is this noise"));
  const error = await assertRejects(() => rendezvous.gather(0.2), SchemoeError);
  assertMatch(error.message, /processes 1, 2, 3 did not join within 0.2 s; turned away: 127.0.0.1/);
  assertMatch(error.message, /it sent what is no message/);
  assertEquals(error.status, 10);
});

Deno.test("Rendezvous.gather() closes connections of strangers who say nothing", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 2 });
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: rendezvous.port });
  await sleep(20);
  await assertRejects(() => rendezvous.gather(0.1), SchemoeError);
  assertEquals(await silent.read(new Uint8Array(1)), null);
});

Deno.test("Rendezvous rejects tokens that could be guessed", async () => {
  const error = await assertRejects(
    () => Promise.resolve().then(() => new Rendezvous({ token: "secret", processes: 2 })),
    SchemoeError,
  );
  assertMatch(error.message, /at least 16 characters/);
});

/** Workers of one process, which is this one, and answers as told. */
async function fakeWorkers(
  answer: (parts: PartHost, message: Frame, frames: Frames) => ReturnType<PartHost["answer"]>,
): Promise<{ workers: Workers; served: Promise<void> }> {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 2 });
  const joined = joinDriver(place(rendezvous, token));
  const members: Member[] = await rendezvous.gather(5);
  const { frames, host } = await joined;
  const parts = new PartHost(host);
  const served = serveParts(frames, {
    answer: (message) => answer(parts, message, frames),
    close: () => parts.close(),
  });
  return { workers: new Workers({ members, host: "127.0.0.1" }), served: served.catch(() => {}) };
}

Deno.test("Engine.run() names a process whose Program is another one, before anything is sent", async () => {
  let runs = 0;
  const { workers, served } = await fakeWorkers((parts, message) => {
    if (message.fields.kind === "run") runs++;
    if (message.fields.kind !== "prepare") return parts.answer(message);
    const body = message.body.slice();
    // The seconds of the first operation.
    new DataView(body.buffer).setFloat64(32 + 32, 0.125, true);
    return parts.answer({ fields: message.fields, body });
  });
  const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  const program = computeAndExchange(engine.topology);
  const error = await assertRejects(() => engine.run(program, engine.workspace()), SchemoeError);
  assertMatch(error.message, /process 1 \(pid \d+ on .*, rank 1\) has another one/);
  assertEquals(runs, 0);
  await workers.close();
  await served;
});

Deno.test("Engine.run() names a process that sends what is no message", async () => {
  const { workers, served } = await fakeWorkers(async (parts, message, frames) => {
    if (message.fields.kind !== "run") return await parts.answer(message);
    await frames.connection.write(new Uint8Array(64).fill(7));
    return await new Promise<never>(() => {});
  });
  const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  const program = computeAndExchange(engine.topology);
  const error = await assertRejects(() => engine.run(program, engine.workspace()), SchemoeError);
  assertMatch(error.message, /process 1 \(pid \d+ on .*, rank 1\): .*it sent what is no message/);
  await workers.close();
  await served;
});

Deno.test("Engine.run() passes on what went wrong in another process, and where", async () => {
  const { workers, served } = await fakeWorkers((parts, message) =>
    message.fields.kind === "run"
      ? Promise.reject(
        new SchemoeError("Cannot run task #0 on rank 1: broken", { status: 2, rank: 1 }),
      )
      : parts.answer(message)
  );
  const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  const program = computeAndExchange(engine.topology);
  const error = await assertRejects(() => engine.run(program, engine.workspace()), SchemoeError);
  assertMatch(error.message, /^Cannot run task work.* on rank 1: broken \[process 1 \(pid /);
  assertEquals([error.status, error.rank], [2, 1]);
  await workers.close();
  await served;
});

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
