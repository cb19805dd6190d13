import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { type Engine, SchemoeError, topology } from "../../mod.ts";
import { spawnWorkers, type Workers } from "../../lib/workers/mod.ts";
import { computeAndExchange, sleep, slowWorld } from "./fixture.ts";

const OPTIONS = { topology: slowWorld, computation: "paced" } as const;

const run = (engine: Engine, timeLimit: number, signal?: AbortSignal) =>
  engine.run(computeAndExchange(engine.topology), engine.workspace(), { timeLimit, signal });

/** A new engine computes. */
async function works(workers: Workers): Promise<void> {
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 2 });
  const { end } = await run(engine, 30);
  assert(end.every((time) => time > 0));
}

Deno.test("Engine.run() names a worker that is killed; new workers work", async () => {
  await using workers = await spawnWorkers(2);
  using engine = await workers.openEngine(OPTIONS);
  const running = assertRejects(() => run(engine, 60), SchemoeError);
  await sleep(200);
  Deno.kill(workers.pids[1], "SIGKILL");
  const error = await running;
  assertMatch(
    error.message,
    new RegExp(`process 2 \\(pid ${workers.pids[1]} on .*, ranks 2 to 3\\)`),
  );
  assertMatch(error.message, /has ended or was killed/);
  assertEquals(error.status, 10);
  const again = await assertRejects(() => run(engine, 60), SchemoeError);
  assertMatch(again.message, /close it and open a new one \(.*process 2/);
  assertMatch(
    (await assertRejects(() => workers.openEngine(), SchemoeError)).message,
    /Cannot reach process 2/,
  );
  await using others = await spawnWorkers(2);
  await works(others);
});

Deno.test("Engine.run() names a worker that is stopped, before the time limit", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ ...OPTIONS, patience: 1 });
  const running = assertRejects(() => run(engine, 60), SchemoeError);
  await sleep(200);
  Deno.kill(workers.pids[0], "SIGSTOP");
  const error = await running;
  assertMatch(error.message, new RegExp(`process 1 \\(pid ${workers.pids[0]} `));
  assertMatch(error.message, /no sign of life for .* stopped/);
  await using others = await spawnWorkers(1);
  await works(others);
});

Deno.test("Engine.run() names a worker that was stopped before, when the time limit is short", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  const program = computeAndExchange(engine.topology);
  const workspace = engine.workspace();
  await engine.run(program, workspace);
  Deno.kill(workers.pids[0], "SIGSTOP");
  const error = await assertRejects(
    () => engine.run(program, workspace, { timeLimit: 0.5 }),
    SchemoeError,
  );
  assertMatch(error.message, /process 1 \(pid \d+ on .*, rank 1\) does not answer for 0.5 s/);
  assertEquals(error.status, 10);
  const opening = await assertRejects(() => workers.openEngine({ patience: 0.3 }), SchemoeError);
  assertMatch(opening.message, /process 1 \(pid \d+ on .*\) does not answer for 0.3 s/);
});

Deno.test("Engine.run() names the slow rank and its process at the time limit; the same workers work again", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine(OPTIONS);
  const error = await assertRejects(() => run(engine, 1.5), SchemoeError);
  assertMatch(error.message, /^Cannot finish the run in 1.5 s: task work.* on rank 2 /);
  assertMatch(error.message, new RegExp(`\\[process 1 \\(pid ${workers.pids[0]} `));
  assertEquals([error.status, error.rank], [4, 2]);
  await works(workers);
});

Deno.test("Engine.run() that is aborted ends in all processes; the same workers work again", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine(OPTIONS);
  const controller = new AbortController();
  const running = assertRejects(() => run(engine, 60, controller.signal), SchemoeError);
  await sleep(200);
  controller.abort();
  assertMatch((await running).message, /it was aborted/);
  const again = await assertRejects(() => run(engine, 60), SchemoeError);
  assertEquals(
    again.message,
    "Cannot use the engine: a run over several processes was aborted; close it and open a new one",
  );
  await works(workers);
});

Deno.test("Engine.close() during a run ends it", async () => {
  await using workers = await spawnWorkers(1);
  const engine = await workers.openEngine(OPTIONS);
  const running = assertRejects(() => run(engine, 60), SchemoeError);
  await sleep(200);
  engine.close();
  assertMatch((await running).message, /the engine was closed/);
  await works(workers);
});

Deno.test("Workspace.ensure() names the process that is gone", async () => {
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 1 });
  const program = computeAndExchange(engine.topology);
  const workspace = engine.workspace();
  await engine.run(program, workspace);
  Deno.kill(workers.pids[0], "SIGKILL");
  await sleep(100);
  assertMatch(
    assertThrows(() => workspace.ensure({ a: 4 }), SchemoeError).message,
    /process 1 \(pid \d+ on 127.0.0.1, rank 1\)/,
  );
  assertMatch(
    (await assertRejects(() => engine.run(program, workspace), SchemoeError)).message,
    /process 1 \(pid \d+ on .*, rank 1\): it has ended or was killed/,
  );
});

Deno.test("Engine.run() of several processes keeps the proportions of emulated links", async () => {
  await using workers = await spawnWorkers(1);
  const world = topology({ nodes: 2, ranksPerNode: 1, inter: { alpha: 0.05, beta: 0 } });
  using engine = await workers.openEngine({ topology: world });
  const program = computeAndExchange(world);
  const { position, end } = await run(engine, 30);
  const clocks = 1e9 * engine.clockError!;
  const exchanges = end.map((_, i) => i).filter((i) =>
    program.order[position[i]].kind === "allToAll"
  );
  assert(exchanges.length > 0);
  for (const i of exchanges) {
    // From the start of the run, on the common clock as far as that is known: a side that begins
    // late catches up, so the time from its own begin may be shorter.
    assert(end[i] >= 50e6 - clocks, `${end[i]} ns, clocks ${clocks} ns`);
  }
});
