import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { NativeError } from "../../lib/native/failure.ts";
import { SchemoeError } from "../../mod.ts";
import { fakeWorkers } from "./fake_workers.ts";
import { computeAndExchange } from "./fixture.ts";

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
        new NativeError({ status: 2, task: 0, rank: 1, text: "Cannot run kernel fill: broken" }),
      )
      : parts.answer(message)
  );
  const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  const program = computeAndExchange(engine.topology);
  const error = await assertRejects(() => engine.run(program, engine.workspace()), SchemoeError);
  assertMatch(
    error.message,
    /^Cannot run kernel fill: broken, in task work.* on rank 1 \[process 1 \(pid /,
  );
  assertEquals([error.status, error.rank], [2, 1]);
  await workers.close();
  await served;
});

Deno.test("Engine.run() names a process that sends times of another number", async () => {
  for (const bytes of [0, 7, 8, 4096]) {
    const { workers, served } = await fakeWorkers(async (parts, message) => {
      const answer = await parts.answer(message);
      return message.fields.kind === "run" ? { body: new Uint8Array(bytes) } : answer;
    });
    const engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
    const program = computeAndExchange(engine.topology);
    const error = await assertRejects(() => engine.run(program, engine.workspace()), SchemoeError);
    assertMatch(
      error.message,
      /^Cannot read the times of process 1 \(pid \d+ on .*, rank 1\): it sent/,
    );
    await workers.close();
    await served;
  }
});
