import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { BUILT_IN, createLayer, openEngine, SchemoeError, topology } from "../../mod.ts";
import { runGolden } from "../../lib/studies/golden.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import { goldenCase } from "../layer/golden_cases.ts";
import { computeAndExchange } from "./fixture.ts";

const bytes = (values: Float32Array) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

const CASES = {
  2: ["top2-relu", "swiglu", "top2-dropless"],
  4: ["top2-overflow", "top2-relu"],
};

for (const [count, names] of Object.entries(CASES)) {
  const processes = Number(count);
  Deno.test(`runGolden() on ${processes} processes equals one process bit for bit`, async () => {
    await using workers = await spawnWorkers(processes - 1);
    assertEquals(workers.processes, processes);
    for (const name of names) {
      const found = goldenCase(name);
      const dropless = found.config.routing?.capacityFactor === 0;
      const golden = {
        ...found,
        config: { ...found.config, routing: { ...found.config.routing, dropless } },
      };
      const shape = { nodes: 2, ranksPerNode: golden.ranks / 2, links: "plain" } as const;
      using alone = openEngine({ kind: "cpu", ...shape });
      using engine = await workers.openEngine(shape);
      assertEquals(engine.topology.ranks, golden.ranks);
      for (const allToAll of BUILT_IN.allToAll) {
        for (const [scheduler, chunks] of [["sequential", 1], ["optSche", 3]] as const) {
          const choices = { scheduler, allToAll, chunks };
          const expected = await runGolden(alone, golden, choices);
          const results = await runGolden(engine, golden, choices);
          assertEquals([...results.keys()], [...expected.keys()]);
          for (const [tensor, values] of expected) {
            assertEquals(
              bytes(results.get(tensor)!),
              bytes(values),
              `${tensor}: ${name}, ${scheduler}, ${allToAll}, ${chunks} chunks`,
            );
          }
        }
      }
    }
  });
}

Deno.test("Workers.openEngine() gives times of all ranks on one clock, and says how far it is off", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 2, computation: "paced" });
  const program = computeAndExchange(engine.topology);
  const workspace = engine.workspace();
  const events = await engine.run(program, workspace);
  // the same before and after a run: profiles are told apart by it
  assertEquals(engine.timing, "emulated links, paced computation, 2 processes over TCP");
  assertEquals(events.end.length, program.order.length * 4);
  const error = 1e9 * engine.clockError!;
  assert(error > 0 && error < 1e9, `${engine.clockError}`);
  for (let i = 0; i < events.end.length; i++) {
    assert(events.end[i] > 0, `operation ${i} has no times`);
    assert(events.ready[i] <= events.start[i] && events.start[i] <= events.end[i]);
    // An exchange ends after every rank has begun it, on whatever process.
    if (program.order[events.position[i]].kind !== "allToAll") continue;
    for (let j = 0; j < events.end.length; j++) {
      if (events.position[j] === events.position[i]) {
        assert(events.end[i] >= events.start[j] - error, `${events.end[i]} < ${events.start[j]}`);
      }
    }
  }
  const isolated = await engine.run(program, workspace, { isolated: true });
  const order = [0, 1, 2, 3].map((rank) => isolated.start[rank]);
  assertEquals(order.toSorted((a, b) => a - b), order, "computations alone, rank after rank");
});

Deno.test("Workspace of several processes reads what it wrote on every rank", async () => {
  await using workers = await spawnWorkers(2);
  using engine = await workers.openEngine({ nodes: 3, ranksPerNode: 1 });
  const workspace = engine.workspace();
  workspace.ensure({ a: 9, b: 0 });
  for (let rank = 0; rank < 3; rank++) {
    assertEquals(workspace.read("a", rank, 9), new Uint8Array(9).fill(255));
    workspace.write("a", rank, Uint8Array.of(rank, 7), 3);
  }
  for (let rank = 0; rank < 3; rank++) {
    assertEquals(workspace.read("a", rank, 2, 3), Uint8Array.of(rank, 7));
  }
  assertMatch(
    assertThrows(() => workspace.read("a", 2, 10), SchemoeError).message,
    /10 of 9 \(process 2 \(pid \d+ on 127.0.0.1, rank 2\)\)/,
  );
  assertThrows(() => workspace.read("a", 3, 1), SchemoeError, "there are 3 ranks, on rank 3");
  workspace.free();
  const again = engine.workspace();
  again.ensure({ a: 4 });
  assertEquals(again.read("a", 1, 4), new Uint8Array(4).fill(255));
});

Deno.test("Workers.openEngine() rejects host functions, and options it does not know", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  const layer = createLayer(engine, {
    tokens: 8,
    modelDim: 4,
    hiddenDim: 4,
    experts: 2,
  });
  const compressor = {
    name: "mine",
    wireBytes: ({ rows, columns }: { rows: number; columns: number }) => 4 * rows * columns,
    encode: (values: Float32Array) => bytes(values).slice(),
    decode: (data: Uint8Array) => new Float32Array(data.slice().buffer),
  };
  const host = await assertRejects(() => layer.forward({ compressor }), SchemoeError);
  assertMatch(
    host.message,
    /an engine of several processes cannot call a host function \(give C\+\+: compressor\(\), sourceKernels\(\)\), in task .* on rank \d/,
  );
  // That was found before anything ran.
  assert((await layer.forward()).output);
  const open = (options: object) => assertRejects(() => workers.openEngine(options), SchemoeError);
  assertMatch((await open({ rank: 1 })).message, /"rank" is not one of its options/);
  assertMatch((await open({ links: "fast" })).message, /unknown links "fast"/);
  assertMatch((await open({ nodes: 1 })).message, /1 ranks are fewer than 2 processes/);
  assertMatch((await open({ patience: 0 })).message, /the patience 0 is not positive/);
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  assertMatch((await open({ topology: world, nodes: 1 })).message, /not both/);
});

Deno.test("Workers.close() ends its engines and processes, and may be called twice", async () => {
  const workers = await spawnWorkers(1);
  const engine = await workers.openEngine();
  await workers.close();
  await workers.close();
  assertThrows(() => engine.workspace(), SchemoeError, "it is closed");
  await assertRejects(() => workers.openEngine(), SchemoeError, "the workers are closed");
  assertThrows(() => Deno.kill(workers.pids[0], "SIGCONT"));
});

Deno.test("checkNumbers over several processes names the earliest task, and the engine goes on", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 2, links: "plain" });
  const sizes = { tokens: 8, modelDim: 4, hiddenDim: 6, experts: 4 };
  using layer = createLayer(engine, sizes);
  const x = new Float32Array(4 * 8 * 4).map((_, i) => Math.sin(i));
  await layer.forward({ x, checkNumbers: true });
  for (const ranks of [[3], [1, 3], [3, 2]]) {
    const broken = x.slice();
    for (const rank of ranks) broken[rank * 32 + 5] = NaN;
    const error = await assertRejects(
      () => layer.forward({ x: broken, checkNumbers: true }),
      SchemoeError,
    );
    assertEquals([error.status, error.rank], [11, Math.min(...ranks)]);
    assertMatch(error.message, /wrote NaN at row 1, column 0, in task gate on rank \d/);
    assertMatch(error.message, /input "x" held NaN before, at element 5 on rank [123]$/);
    await layer.forward({ x, checkNumbers: true });
  }
});
