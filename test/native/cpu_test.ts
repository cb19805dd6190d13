import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openCpuEngine } from "../../lib/engines/cpu.ts";
import { SchemoeError } from "../../lib/types.ts";
import { linear, topology } from "../../mod.ts";
import { simulate } from "../../lib/engines/mod.ts";
import { chain, fill, floats, pair, program, slow } from "./programs.ts";

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
      label: "A",
      chunk: 0,
      stage: 0,
      after: [],
      algorithm: linear,
      sliceBytes: 4,
      input: { buffer: "a", offset: 0 },
      output: { buffer: "b", offset: 0 },
      scratch: "s",
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

Deno.test("openCpuEngine() takes no less than the simulator says, with emulated links", async () => {
  const world = topology({
    nodes: 1,
    ranksPerNode: 2,
    processor: slow,
    intra: { alpha: 0.01, beta: 0 },
    inter: { alpha: 0.01, beta: 0 },
  });
  using engine = openCpuEngine({ topology: world, computation: "paced" });
  assertEquals(engine.timing, "emulated links, paced computation");
  const exchange = program(world, (g) => {
    for (let i = 0; i < 3; i++) {
      g.allToAll({
        label: `A${i}`,
        chunk: 0,
        stage: i,
        after: [],
        algorithm: linear,
        sliceBytes: 4,
        input: { buffer: "a", offset: 0 },
        output: { buffer: "b", offset: 0 },
        scratch: "s",
      });
    }
    g.add({ kind: "opaque", label: "sleep", chunk: -1, stage: 9, after: [], flops: 0.02 });
  });
  const expected = Math.max(...simulate(exchange, world).end);
  // a busy machine takes longer, by any factor
  const took = Math.max(...(await engine.run(exchange, engine.workspace())).end);
  assert(took >= expected - 1e5, `${took} ns instead of ${expected}`);
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
  assertThrows(() => workspace.read("x", 1, 9), SchemoeError, "bytes 0 + 9 of 8");
  assertThrows(() => workspace.read("x", 2, 1), SchemoeError, "there are 2 ranks, on rank 2");
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

Deno.test("run() packs a Program again that was not used for long", async () => {
  using engine = openCpuEngine({ topology: pair });
  const workspace = engine.workspace();
  const programs = Array.from({ length: 150 }, (_, i) => chain(pair, () => [fill(1, i)]));
  for (const program of [...programs, ...programs.toReversed()]) {
    await engine.run(program, workspace);
  }
  assertEquals(floats(workspace.read("a", 0, 4)), [0]);
});

Deno.test("CPU engines that nothing reaches any more end with their threads, those of a layer do not", async () => {
  const script = new URL("./forgotten.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script],
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { first, most, last, same } = JSON.parse(new TextDecoder().decode(stdout));
  // 12 engines of 4 ranks, each with 3 lanes, have 144
  assert(last - first <= 72, `of ${most} threads ${last} are left, before there were ${first}`);
  assert(same, "the engine that was kept computes something else");
});

Deno.test("layers that nothing reaches any more give back their memory, though their engine lives", async () => {
  const script = new URL("./forgotten_layers.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script],
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { first, most, last, same } = JSON.parse(new TextDecoder().decode(stdout));
  assert(last - first <= (most - first) / 2, `of ${most - first} bytes ${last - first} are left`);
  assert(same, "the layer that was kept computes something else");
});
