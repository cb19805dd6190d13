import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openCpuEngine } from "../../lib/engines/cpu.ts";
import { SchemoeError } from "../../lib/types.ts";
import { topology } from "../../mod.ts";
import { calling, chain, fill, never, pair, program } from "./programs.ts";

Deno.test("openCpuEngine() lets host functions read and write, several at a time", async () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  let inside = 0;
  let met: () => void;
  const both = new Promise<void>((resolve) => met = resolve);
  const view = { buffer: "a", offset: 4 };
  const asking = calling(pair, async ({ rank, read, write }) => {
    if (++inside === 2) met();
    await both;
    assertEquals([...read(view, 4)], [255, 255, 255, 255]);
    write(view, new Uint8Array([rank, 0, 0, 9]));
  });
  await engine.run(asking, workspace);
  assertEquals([...workspace.read("a", 1, 4, 4)], [1, 0, 0, 9]);
});

Deno.test("run() rejects with the exception of a host function, and the engine goes on", async () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  const cause = new Error("no such weather");
  let fails = true;
  const asking = calling(pair, ({ rank }) => {
    if (fails && rank === 1) throw cause;
  });
  for (let time = 0; time < 3; time++) {
    const error = await assertRejects(() => engine.run(asking, workspace), SchemoeError);
    assertEquals(
      error.message,
      "Cannot run task ask on rank 1: its host function failed: no such weather",
    );
    assertEquals([error.cause, error.rank, error.status], [cause, 1, 5]);
  }
  fails = false;
  await engine.run(asking, workspace);
});

Deno.test("run() rejects with the first exception when all host functions throw at once", async () => {
  using engine = openCpuEngine({ topology: topology({ nodes: 1, ranksPerNode: 8 }) });
  const workspace = engine.workspace();
  const asking = calling(engine.topology, async ({ rank }) => {
    if (rank % 2) await Promise.resolve();
    throw new Error(`rank ${rank} is tired`);
  });
  for (let time = 0; time < 20; time++) {
    const error = await assertRejects(
      () => engine.run(asking, workspace),
      SchemoeError,
      "is tired",
    );
    assertEquals((error.cause as Error).message, `rank ${error.rank} is tired`);
  }
});

Deno.test("run() rejects when its time is over, naming what it waited for", async () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  const error = await assertRejects(
    () => engine.run(calling(pair, never), workspace, { timeLimit: 0.05 }),
    SchemoeError,
    "Cannot finish the run in 0.05 s: task ask on rank 0 (compute lane) waits for its host function",
  );
  assertEquals(error.status, 4);
  await engine.run(chain(pair, () => [fill(1, 1)]), workspace);
});

Deno.test("run() rejects when its signal is aborted, before or meanwhile", async () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  const sleeping = program(pair, (g) => {
    g.add({ kind: "opaque", label: "sleep", chunk: -1, stage: 0, after: [], flops: 1e15 });
  });
  const early = AbortSignal.abort("too late");
  await assertRejects(
    () => engine.run(sleeping, workspace, { signal: early }),
    SchemoeError,
    "aborted",
  );
  for (const wait of [0, 20]) {
    const controller = new AbortController();
    const running = engine.run(sleeping, workspace, { signal: controller.signal });
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
    controller.abort("enough");
    const error = await assertRejects(() => running, SchemoeError, "it was aborted");
    assertEquals([error.status, error.cause], [3, "enough"]);
  }
});

Deno.test("run() rejects while another run is in progress", async () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  const work = chain(pair, () => [fill(1, 1)]);
  const first = engine.run(work, workspace);
  await assertRejects(() => engine.run(work, workspace), SchemoeError, "a run is in progress");
  await first;
});

Deno.test("run() rejects a kernel that reaches beyond its buffer, naming task and rank", async () => {
  using engine = openCpuEngine({ topology: pair });
  const work = chain(pair, () => [], (rank) => [fill(rank ? 1000 : 1, 0)]);
  await assertRejects(
    () => engine.run(work, engine.workspace()),
    SchemoeError,
    'Cannot run kernel fill: 4000 bytes are needed, the buffer has 64, in task work 1 on rank 1, buffer "a"',
  );
});

Deno.test("run() rejects data that make no sense, naming the kernel", async () => {
  using engine = openCpuEngine({ topology: pair });
  const [a, b] = ["a", "b"].map((buffer) => ({ buffer, offset: 0 }));
  const work = chain(pair, () => [{ name: "slots", args: [1, 1, 2, 1, a, a, b] }]);
  const error = await assertRejects(() => engine.run(work, engine.workspace()), SchemoeError);
  assert(
    /^Cannot run kernel slots: choices holds -1 of 2, in task work 0 on rank \d/.test(
      error.message,
    ),
    error.message,
  );
});

Deno.test("close() ends a run, and only once", async () => {
  const engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  const running = engine.run(calling(pair, never), workspace);
  engine.close();
  engine.close();
  await assertRejects(() => running, SchemoeError, "the engine was closed");
  assertThrows(() => engine.workspace(), SchemoeError, "it is closed");
  assertThrows(() => workspace.read("a", 0, 1), SchemoeError, "it is closed");
  await assertRejects(
    () => engine.run(calling(pair, never), workspace),
    SchemoeError,
    "it is closed",
  );
});

Deno.test("free() waits for nobody: while a run uses the workspace it is refused, whole, and works later", async () => {
  using engine = openCpuEngine({ topology: pair });
  const [workspace, other] = [engine.workspace(), engine.workspace()];
  let begun: () => void, go: () => void;
  const running = new Promise<void>((resolve) => begun = resolve);
  const gate = new Promise<void>((resolve) => go = resolve);
  const asking = calling(pair, async () => {
    begun();
    await gate;
  });
  // prepared earlier: must not be released by halves
  const before = calling(pair, () => {});
  await engine.run(before, workspace);
  const run = engine.run(asking, workspace);
  await running;
  assertThrows(() => workspace.free(), SchemoeError, "a run uses it");
  go!();
  await run;
  await engine.run(before, workspace);
  workspace.free();
  workspace.free();
  other.free();
});
