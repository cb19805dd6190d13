import { assertEquals } from "@std/assert";
import { benchFaults } from "../../lib/tasks/bench/faults.ts";
import { changedIds, changedProgram, overNative } from "../../lib/tasks/faults/messages.ts";
import type { FaultProxy } from "../../lib/tasks/faults/proxy.ts";
import { openConnections, shutDown } from "../../lib/tasks/faults/sockets.ts";
import { type Fault, tryFaults } from "../../lib/tasks/faults/faults.ts";

Deno.test("benchFaults() names the process of each fault in time, and new engines give the same bits", async () => {
  const { rows } = await benchFaults();
  assertEquals(rows.map(({ fault, named, sameBits }) => [fault, named, sameBits]), [
    ...["killed", "stopped", "stoppedBefore", "killedOpening", "slow"].map((
      name,
    ) => [name, true, true]),
    ...["token", "message", "size", "program"].map((name) => [name, true, true]),
  ], JSON.stringify(rows, undefined, 1));
});

Deno.test("tryFaults() says what is not named, too late, or gives other bits", async () => {
  const fault: Fault = {
    did: "nothing",
    limit: 5,
    says: /rank 3/,
    after: "the same",
    cause: () => Promise.reject(new Error("rank 3 is it")),
    works: () => Promise.resolve("bits"),
  };
  const late = new Promise((done) => setTimeout(done, 20));
  const rows = await tryFaults({
    good: fault,
    other: { ...fault, cause: () => Promise.reject(new Error("something")) },
    none: { ...fault, cause: () => Promise.resolve() },
    late: { ...fault, limit: 0.001, cause: () => late.then(fault.cause.bind(undefined, () => {})) },
    bits: { ...fault, works: () => Promise.resolve("others") },
    dead: { ...fault, works: () => Promise.reject(new Error("no engine")) },
  }, "bits");
  assertEquals(rows.map(({ fault, named, sameBits }) => [fault, named, sameBits]), [
    ["good", true, true],
    ["other", false, true],
    ["none", false, true],
    ["late", false, true],
    ["bits", true, false],
    ["dead", true, false],
  ]);
  assertEquals(rows[2].error, "none");
  assertEquals(rows[5].failure, "no engine");
});

Deno.test("openConnections() leaves out sockets that listen or are not TCP's", async () => {
  const path = await Deno.makeTempFile();
  await Deno.remove(path);
  const before = openConnections();
  using unix = Deno.listen({ transport: "unix", path });
  using _client = await Deno.connect({ transport: "unix", path });
  using _server = await unix.accept();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assertEquals(openConnections().difference(before).size, 0);
  using _here = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using _there = await listener.accept();
  assertEquals(openConnections().difference(before).size, 2);
  await Deno.remove(path);
});

Deno.test("shutDown() ends what a connection carries", async () => {
  const before = openConnections();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using here = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using _there = await listener.accept();
  assertEquals(shutDown(openConnections().difference(before)), 2);
  assertEquals(await here.read(new Uint8Array(1)), null);
});

Deno.test("changedIds() changes one byte of the ids, wherever the message is cut", () => {
  const message = new Uint8Array(64 + 264);
  new TextEncoder().encodeInto("SMMG\n", message.subarray(10));
  for (const cut of [0, 40, 90, 200]) {
    const bytes = message.slice();
    const change = changedIds();
    change(bytes.subarray(0, cut || bytes.length), "down");
    if (cut > 0) change(bytes.subarray(cut), "down");
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== message[at]);
    assertEquals(changed, [10 + 64 + 48], `cut at ${cut}`);
  }
});

Deno.test("overNative() puts another port where the worker is told process 0's", async () => {
  const text = '{"kind":"connect","all":[{"port":43210,"host":"127.0.0.1"}]}';
  const bytes = new TextEncoder().encode(text);
  let proxy: FaultProxy | undefined;
  overNative(changedProgram, (opened) => proxy = opened)(bytes, "down");
  const { all } = JSON.parse(new TextDecoder().decode(bytes));
  assertEquals(all, [{ port: proxy!.port, host: "127.0.0.1" }]);
  await proxy!.close();
});
