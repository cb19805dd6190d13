import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { ABI_VERSION } from "../../lib/program/pack.ts";
import { joinDriver, serveWorker } from "../../lib/workers/join.ts";
import { newToken } from "../../lib/workers/mod.ts";
import { Rendezvous } from "../../lib/workers/rendezvous.ts";
import { sleep } from "./fixture.ts";
import { bytesOf, connect, reset, say, textFrame } from "./strangers.ts";

const place = (rendezvous: Rendezvous, token: string, process = 1) => ({
  process,
  processes: 2,
  host: "127.0.0.1",
  port: rendezvous.port,
  token,
  timeLimit: 30,
});

/** Joins as process 1 until process 0 lets it go, which it does at once. */
async function join(rendezvous: Rendezvous, token: string): Promise<void> {
  const serving = serveWorker(place(rendezvous, token));
  const members = await rendezvous.gather(30);
  assertEquals(members.map(({ process, pid }) => [process, pid]), [[1, Deno.pid]]);
  members[0].close("done");
  await serving;
}

Deno.test("Rendezvous listens on this machine only unless told otherwise", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 1 });
  assertEquals(rendezvous.host, "127.0.0.1");
  assertEquals(await rendezvous.gather(1), []);
});

Deno.test("Rendezvous turns strangers away, names them, and lets a worker in all the same", async () => {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 2 });
  await say(rendezvous.port, bytesOf("GET / HTTP/1.1\r\n\r\n"));
  await say(rendezvous.port, textFrame("{}", [1 << 30, 0]));
  await say(rendezvous.port, textFrame("{}", [2, 1]));
  await say(rendezvous.port, textFrame("not JSON"));
  await say(rendezvous.port, textFrame(JSON.stringify({ kind: "join", process: 1 })));
  // either version alone is refused
  for (const [protocol, abi] of [[1, 1], [1, ABI_VERSION], [2, ABI_VERSION - 1]]) {
    const old = JSON.stringify({ kind: "hello", protocol, abi, nonce: newToken() });
    assertMatch(
      await say(rendezvous.port, textFrame(old)),
      new RegExp(`it has versions ${protocol} and ${abi}, this process has 2 and ${ABI_VERSION}`),
    );
  }
  const number = await assertRejects(() => serveWorker(place(rendezvous, token, 2)), SchemoeError);
  assertMatch(
    number.message,
    /^Cannot join process 0 at 127.0.0.1 port \d+: process 2 is not one of 1 to 1$/,
  );
  await join(rendezvous, token);
});

Deno.test("Rendezvous and a worker with another token name it and each other's address", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 2 });
  const wrong = await assertRejects(
    () => serveWorker({ ...place(rendezvous, newToken()), timeLimit: 0.5 }),
    SchemoeError,
  );
  assertMatch(
    wrong.message,
    /^Cannot join process 0 at 127.0.0.1 port \d+ within 0.5 s: who listens there has not the same token$/,
  );
  const missing = await assertRejects(() => rendezvous.gather(0.05), SchemoeError);
  assertMatch(
    missing.message,
    /^Cannot gather the workers at 127.0.0.1 port \d+: process 1 did not join within 0.05 s; turned away: 127.0.0.1 port \d+: its token is not the session's/,
  );
});

Deno.test("Rendezvous.gather() names the processes that did not join, and why strangers did not", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 4 });
  await say(rendezvous.port, bytesOf("what is this noise"));
  await say(rendezvous.port, bytesOf("what is this noise"));
  const error = await assertRejects(() => rendezvous.gather(0.2), SchemoeError);
  assertMatch(error.message, /processes 1, 2, 3 did not join within 0.2 s; turned away: 127.0.0.1/);
  assertMatch(error.message, /it sent what is no message \(2 times\)$/);
  assertEquals(error.status, 10);
});

Deno.test("Rendezvous.gather() closes connections of strangers who say nothing", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 2 });
  using silent = await connect(rendezvous.port);
  await sleep(20);
  await assertRejects(() => rendezvous.gather(0.1), SchemoeError);
  assertEquals(await silent.read(new Uint8Array(1)), null);
});

Deno.test("Rendezvous goes on after connections that are reset, whatever they said before", async () => {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 2 });
  const hello = textFrame(JSON.stringify({ kind: "hello" }));
  for (let i = 0; i < 40; i++) {
    reset(rendezvous.port, hello.slice(0, i % 4 * 9));
    if (i % 5 === 0) await sleep(1);
  }
  await join(rendezvous, token);
});

Deno.test("Rendezvous lets a worker in beside 600 connections that say nothing", async () => {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 2 });
  const silent: Deno.TcpConn[] = [];
  for (let i = 0; i < 300; i++) silent.push(await connect(rendezvous.port));
  const late = (async () => {
    for (let i = 0; i < 300; i++) silent.push(await connect(rendezvous.port));
  })().catch(() => {});
  await join(rendezvous, token);
  await late;
  for (const connection of silent) connection.close();
});

Deno.test("Rendezvous limits the whole greeting, not the time between bytes", async () => {
  const rendezvous = new Rendezvous({ token: newToken(), processes: 2, greetingTime: 0.2 });
  using slow = await connect(rendezvous.port);
  const ended = slow.read(new Uint8Array(1)).catch(() => null);
  let over = false;
  const dripping = (async () => {
    for (const byte of textFrame(`{"kind":"hello"${" ".repeat(2000)}}`)) {
      if (over) return;
      await slow.write(Uint8Array.of(byte)).catch(() => over = true);
      await sleep(10);
    }
  })();
  assertEquals(await ended, null);
  assert(!over || await dripping === undefined);
  over = true;
  await dripping;
  const error = await assertRejects(() => rendezvous.gather(0.05), SchemoeError);
  assertMatch(error.message, /it did not introduce itself within 0.2 s/);
});

Deno.test("Rendezvous lets 200 workers in that come at once", async () => {
  const token = newToken();
  const processes = 201;
  const rendezvous = new Rendezvous({ token, processes });
  const gathering = rendezvous.gather(60);
  const joined = await Promise.all(
    Array.from({ length: processes - 1 }, (_, i) => joinDriver(place(rendezvous, token, i + 1))),
  );
  const members = await gathering;
  assertEquals(members.map(({ process }) => process), joined.map((_, i) => i + 1));
  for (const member of members) member.close("done");
  for (const { frames } of joined) frames.close();
  await Promise.all(members.map(({ ended }) => ended));
});

Deno.test("Rendezvous gives the number of a worker that left to another, and refuses a second one", async () => {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 3 });
  const gathering = rendezvous.gather(30);
  const first = await joinDriver(place(rendezvous, token));
  // The same process again: its first connection is given up.
  const second = await joinDriver(place(rendezvous, token));
  assertEquals(await first.frames.receive(), undefined);
  second.frames.close();
  first.frames.close();
  const third = await joinDriver(place(rendezvous, token));
  const other = await joinDriver(place(rendezvous, token, 2));
  const members = await gathering;
  assertEquals(members.map(({ process, gone }) => [process, gone]), [[1, undefined], [
    2,
    undefined,
  ]]);
  for (const member of members) member.close("done");
  for (const { frames } of [third, other]) frames.close();
  await Promise.all(members.map(({ ended }) => ended));
});

Deno.test("Rendezvous.gather() takes any time limit", async () => {
  const token = newToken();
  const rendezvous = new Rendezvous({ token, processes: 2 });
  const gathering = rendezvous.gather(1e9);
  const { frames } = await joinDriver({ ...place(rendezvous, token), timeLimit: 1e9 });
  const [member] = await gathering;
  member.close("done");
  frames.close();
  await member.ended;
});

Deno.test("Rendezvous rejects tokens that could be guessed", async () => {
  const error = await assertRejects(
    () => Promise.resolve().then(() => new Rendezvous({ token: "secret", processes: 2 })),
    SchemoeError,
  );
  assertMatch(error.message, /at least 16 characters/);
});
