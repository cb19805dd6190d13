import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openCpuEngine } from "../../lib/engines/cpu.ts";
import { type HostFunction, type Kernel, SchemoeError, type Topology } from "../../lib/types.ts";
import { buildProgram, GraphBuilder, linear, simulate, topology } from "../../mod.ts";

const pair = topology({ nodes: 1, ranksPerNode: 2 });
const slow = { alpha: 0, flopRate: 1, byteRate: 1 };

/** A Program of one compute task a list of kernels, each after the one before. */
function chain(world: Topology, ...tasks: ((rank: number) => readonly Kernel[])[]) {
  return program(world, (g) => {
    let before: ReturnType<GraphBuilder["add"]>[] = [];
    for (const [i, kernels] of tasks.entries()) {
      before = [g.add({
        ...{ kind: "opaque", label: `work ${i}`, chunk: -1, stage: i, after: before, kernels },
      })];
    }
  });
}

function program(world: Topology, make: (g: GraphBuilder) => void) {
  const g = new GraphBuilder(world, "forward", 1);
  for (const name of ["a", "b"]) g.buffer(name, 64);
  make(g);
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "test");
}

/** A Program whose only task calls a function on each rank. */
function calling(world: Topology, run: HostFunction) {
  return program(world, (g) => {
    const kernel = g.host(run);
    g.add({
      kind: "opaque",
      label: "ask",
      chunk: -1,
      stage: 0,
      after: [],
      kernels: () => [kernel],
    });
  });
}

const fill = (count: number, value: number, offset = 0): Kernel => ({
  name: "fill",
  args: [count, { buffer: "a", offset }, value],
});
const floats = (bytes: Uint8Array<ArrayBuffer>) => [...new Float32Array(bytes.buffer)];
const never = () => new Promise<void>(() => {});

Deno.test("openCpuEngine() runs kernels in the order of the Program", async () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  const order = chain(pair, (rank) => [fill(4, rank)], (rank) => [fill(2, 10 + rank)]);
  const events = await engine.run(order, workspace);
  assertEquals(floats(workspace.read("a", 0, 16)), [10, 10, 0, 0]);
  assertEquals(floats(workspace.read("a", 1, 16)), [11, 11, 1, 1]);
  assertEquals([...events.position], [0, 0, 1, 1]);
  assertEquals([...events.rank], [0, 1, 0, 1]);
  for (let i = 0; i < 4; i++) {
    assert(events.ready[i] <= events.start[i] && events.start[i] <= events.end[i]);
    assertEquals(events.wait[i], 0);
  }
  assert(events.start[2] >= events.end[0]);
});

Deno.test("openCpuEngine() moves the bytes of an all-to-all, again and again", async () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  using engine = openCpuEngine({ topology: world, links: "plain" });
  const workspace = engine.workspace();
  const exchange = program(world, (g) => {
    g.allToAll({
      ...{ label: "A", chunk: 0, stage: 0, after: [], algorithm: linear, sliceBytes: 4 },
      ...{ input: { buffer: "a", offset: 0 }, output: { buffer: "b", offset: 0 }, scratch: "s" },
    });
  });
  workspace.ensure({ a: 64 });
  for (let time = 0; time < 3; time++) {
    for (let rank = 0; rank < 4; rank++) {
      workspace.write(
        "a",
        rank,
        Float32Array.from({ length: 4 }, (_, j) => 100 * time + 10 * rank + j),
      );
    }
    await engine.run(exchange, workspace);
    for (let rank = 0; rank < 4; rank++) {
      const expected = Array.from({ length: 4 }, (_, from) => 100 * time + 10 * from + rank);
      assertEquals(floats(workspace.read("b", rank, 16)), expected);
    }
  }
});

Deno.test("openCpuEngine() takes as long as the simulator says, with emulated links", async () => {
  const world = topology({
    ...{ nodes: 1, ranksPerNode: 2, processor: slow },
    ...{ intra: { alpha: 0.01, beta: 0 }, inter: { alpha: 0.01, beta: 0 } },
  });
  using engine = openCpuEngine({ topology: world, computation: "paced" });
  assertEquals(engine.timing, "emulated links, paced computation");
  const exchange = program(world, (g) => {
    for (let i = 0; i < 3; i++) {
      g.allToAll({
        ...{ label: `A${i}`, chunk: 0, stage: i, after: [], algorithm: linear, sliceBytes: 4 },
        ...{ input: { buffer: "a", offset: 0 }, output: { buffer: "b", offset: 0 }, scratch: "s" },
      });
    }
    g.add({ kind: "opaque", label: "sleep", chunk: -1, stage: 9, after: [], flops: 0.02 });
  });
  const expected = Math.max(...simulate(exchange, world).end);
  const took = Math.max(...(await engine.run(exchange, engine.workspace())).end);
  assert(took >= expected - 1e5 && took < 10 * expected, `${took} ns instead of ${expected}`);
});

Deno.test("openCpuEngine() runs an isolated Program one compute operation at a time", async () => {
  const world = topology({ nodes: 1, ranksPerNode: 3, processor: slow });
  using engine = openCpuEngine({ topology: world, computation: "paced" });
  const waiting = program(world, (g) => {
    for (const label of ["one", "two"]) {
      g.add({
        kind: "opaque",
        label,
        chunk: -1,
        stage: 0,
        after: [],
        flops: 0.003,
        kernels: () => [],
      });
    }
  });
  const { start, end } = await engine.run(waiting, engine.workspace(), { isolated: true });
  for (let i = 1; i < 6; i++) assert(start[i] >= end[i - 1]);
});

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
    "task work 1 on rank 1, kernel fill: buffer",
  );
});

Deno.test("run() rejects data that make no sense, naming the kernel", async () => {
  using engine = openCpuEngine({ topology: pair });
  const [a, b] = ["a", "b"].map((buffer) => ({ buffer, offset: 0 }));
  const work = chain(pair, () => [{ name: "slots", args: [1, 1, 2, 1, a, a, b] }]);
  const error = await assertRejects(() => engine.run(work, engine.workspace()), SchemoeError);
  assert(
    /task work 0 on rank \d, kernel slots: choices holds -1 of 2/.test(error.message),
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

Deno.test("workspace() keeps contents until a buffer grows, and refuses what is not there", () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  workspace.ensure({ x: 4 });
  assertEquals([...workspace.read("x", 1, 4)], [255, 255, 255, 255]);
  workspace.write("x", 1, new Uint8Array([1, 2]), 2);
  workspace.ensure({ x: 2 });
  assertEquals([...workspace.read("x", 1, 4)], [255, 255, 1, 2]);
  workspace.ensure({ x: 8 });
  assertEquals([...workspace.read("x", 1, 8)], new Array(8).fill(255));
  assertThrows(() => workspace.read("x", 1, 9), SchemoeError, "it has 8");
  assertThrows(() => workspace.read("x", 2, 1), SchemoeError, "rank 2 of 2");
  assertThrows(() => workspace.read("x", -1, 1), SchemoeError, "-1");
  assertThrows(() => workspace.read("y", 0, 1), SchemoeError, '"y"');
  assertThrows(() => workspace.ensure({ x: 2 ** 50 }), SchemoeError, "no memory");
  workspace.free();
  workspace.free();
  assertThrows(() => workspace.read("x", 0, 1), SchemoeError, "it was freed");
});

Deno.test("workspace() of another engine is refused", async () => {
  using engine = openCpuEngine({ topology: pair });
  using other = openCpuEngine({ topology: pair });
  const work = chain(pair, () => [fill(1, 1)]);
  await assertRejects(
    () => engine.run(work, other.workspace()),
    SchemoeError,
    "not one of this engine",
  );
});
