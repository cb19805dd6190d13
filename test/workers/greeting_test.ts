import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import { type Fields, Frames, STRANGER } from "../../lib/workers/frames.ts";
import { joinDriver } from "../../lib/workers/join.ts";
import { newToken } from "../../lib/workers/mod.ts";
import { engineKey, isNonce, newNonce, Prover } from "../../lib/workers/proof.ts";
import { Rendezvous } from "../../lib/workers/rendezvous.ts";
import { connect, textFrame } from "./strangers.ts";

const LOCAL = { hostname: "127.0.0.1", port: 0 };

Deno.test("Prover.proves() holds for the same token, speaker and statement only", async () => {
  const token = newToken();
  assertEquals(token.length, 64);
  assertNotEquals(token, newToken());
  const [prover, nonce] = [new Prover(token), newNonce()];
  const proof = await prover.prove("worker", [nonce, 1]);
  assert(isNonce(proof));
  assert(await new Prover(token).proves(proof, "worker", [nonce, 1]));
  for (const other of [token.slice(1), `${token}0`, newToken(), `${token}\0`]) {
    assert(!await new Prover(other).proves(proof, "worker", [nonce, 1]));
  }
  assert(!await prover.proves(proof, "process 0", [nonce, 1]));
  assert(!await prover.proves(proof, "worker", [nonce, "1"]));
  assert(!await prover.proves(proof, "worker", [nonce, 1, 1]));
  for (const none of [undefined, null, 7, {}, "", proof.slice(1), proof.toUpperCase()]) {
    assert(!await prover.proves(none, "worker", [nonce, 1]));
  }
  const key = await engineKey(prover, nonce);
  assertEquals(key.length, 32);
  assertNotEquals(key, await engineKey(prover, newNonce()));
});

Deno.test("Prover.prove() is HMAC-SHA256 of the statement as JSON", async () => {
  // hmac.new(b"k" * 16, b'["schemoe","worker","a",1]', "sha256") of Python
  assertEquals(
    await new Prover("k".repeat(16)).prove("worker", ["a", 1]),
    "ff2538e676ef3321d57592994727a767d54860c97b7e2f46120c0d6e5b78b62c",
  );
});

/** Plays process 0 for one connection: what it is sent goes to `heard`. */
async function play(
  listener: Deno.TcpListener,
  heard: Fields[],
  answers: (message: Fields) => Fields | undefined,
): Promise<void> {
  const frames = new Frames(await listener.accept(), STRANGER);
  try {
    for (let frame; (frame = await frames.receive());) {
      heard.push(frame.fields);
      const answer = answers(frame.fields);
      if (!answer) break;
      await frames.send(answer);
    }
  } finally {
    frames.close();
  }
}

Deno.test("joinDriver() never sends the token, and proves nothing to who has not proven it first", async () => {
  const token = newToken();
  const heard: Fields[] = [];
  const listener = Deno.listen(LOCAL);
  const { port } = listener.addr;
  const joining = joinDriver({
    process: 1,
    processes: 2,
    host: "127.0.0.1",
    port,
    token,
    timeLimit: 30,
  });
  const stranger = new Prover(newToken());
  // A challenge without a proof, the worker's own challenge, a proof by another token, a verdict at once.
  await play(listener, heard, () => ({ kind: "challenge", nonce: newNonce() }));
  await play(listener, heard, ({ nonce }) => ({ kind: "challenge", nonce, proof: nonce }));
  const nonce = newNonce();
  const proof = await stranger.prove("process 0", [nonce, nonce]);
  await play(listener, heard, () => ({ kind: "challenge", nonce, proof }));
  await play(listener, heard, () => ({ kind: "welcome", processes: 2 }));
  listener.close();
  assert(heard.length >= 4);
  for (const fields of heard) {
    assert(!JSON.stringify(fields).includes(token));
    assert(fields.kind === "hello" || fields.kind === "mistrust", String(fields.kind));
    assertEquals(fields.proof, undefined);
  }
  const rendezvous = new Rendezvous({ token, processes: 2, port });
  const [[member], { frames }] = await Promise.all([rendezvous.gather(30), joining]);
  member.close("done");
  frames.close();
  await member.ended;
});

Deno.test("joinDriver() names the address and the last reason at its time limit", async () => {
  const listener = Deno.listen(LOCAL);
  const { port } = listener.addr;
  const token = newToken();
  const place = { process: 1, processes: 2, host: "127.0.0.1", port, token, timeLimit: 0.2 };
  const silent = await assertRejects(() => joinDriver(place), SchemoeError);
  assertEquals(
    [silent.message, silent.status],
    [`Cannot join process 0 at 127.0.0.1 port ${port} within 0.2 s: it does not answer`, 10],
  );
  listener.close();
  const nobody = await assertRejects(() => joinDriver(place), SchemoeError);
  assertMatch(
    nobody.message,
    /^Cannot join process 0 at 127.0.0.1 port \d+ within 0.2 s: .*refused/,
  );
});

Deno.test("joinDriver() tries again after resets, silence, noise and refusals without proof", async () => {
  const token = newToken();
  const impostor = Deno.listen(LOCAL);
  const { port } = impostor.addr;
  const joining = joinDriver({
    process: 1,
    processes: 2,
    host: "127.0.0.1",
    port,
    token,
    timeLimit: 30,
  });
  (await impostor.accept()).close();
  await play(impostor, [], () => ({ kind: "refused", reason: "go away" }));
  const noisy = await impostor.accept();
  await noisy.write(new Uint8Array(100).fill(7));
  noisy.close();
  const unread = await impostor.accept();
  // Closed with contents unread, a connection is reset.
  await unread.write(textFrame("{"));
  unread.close();
  impostor.close();
  const rendezvous = new Rendezvous({ token, processes: 2, port });
  const [[member], { frames }] = await Promise.all([rendezvous.gather(30), joining]);
  member.close("done");
  frames.close();
  await member.ended;
});

Deno.test("Rendezvous does not let a recorded greeting in", async () => {
  const token = newToken();
  const first = new Rendezvous({ token, processes: 2 });
  const recorded: Uint8Array[] = [];
  const relay = Deno.listen(LOCAL);
  const carrying = (async () => {
    const [near, far] = [await relay.accept(), await connect(first.port)];
    const carry = async (from: Deno.TcpConn, to: Deno.TcpConn, keep: boolean) => {
      const buffer = new Uint8Array(65536);
      for (let got; (got = await from.read(buffer).catch(() => null)) !== null;) {
        if (keep) recorded.push(buffer.slice(0, got));
        await to.write(buffer.slice(0, got)).catch(() => {});
      }
      await to.closeWrite().catch(() => {});
    };
    await Promise.all([carry(near, far, true), carry(far, near, false)]);
    near.close();
    far.close();
  })();
  const { port } = relay.addr;
  const joining = joinDriver({ process: 1, processes: 2, host: "127.0.0.1", port, token });
  const [member] = await first.gather(30);
  const { frames } = await joining;
  member.close("done");
  frames.close();
  relay.close();
  await carrying;

  const second = new Rendezvous({ token, processes: 2 });
  using replayed = await connect(second.port);
  for (const part of recorded) await replayed.write(part).catch(() => {});
  while (await replayed.read(new Uint8Array(4096)).catch(() => null) !== null);
  const error = await assertRejects(() => second.gather(0.05), SchemoeError);
  assertMatch(error.message, /its token is not the session's/);
});
