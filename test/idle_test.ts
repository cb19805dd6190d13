import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError, topK } from "../mod.ts";

const CONFIG = { tokens: 32, modelDim: 8, hiddenDim: 8, experts: 4, gate: topK({ k: 2 }) };

Deno.test("Engine.idle() waits for passes and runs whose await was forgotten, also failed ones", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const layer = createLayer(engine, CONFIG);
  const other = createLayer(engine, CONFIG);
  let ended = 0;
  // A dropless pass is two runs.
  layer.forward().then(() => ended++);
  const again = await assertRejects(() => layer.forward(), SchemoeError);
  assertMatch(
    again.message,
    /^Cannot run the pass: another one of this layer is in progress, await it \(await engine.idle\(\) waits for whatever still runs\)$/,
  );
  assertMatch(assertThrows(() => layer.close(), SchemoeError).message, /await engine.idle\(\)/);
  await engine.idle();
  assertEquals(ended, 1);
  await layer.forward();
  const failing = assertRejects(() => other.forward({ signal: AbortSignal.abort() }), SchemoeError);
  await engine.idle();
  await failing;
  layer.close();
  other.close();
});

Deno.test("Engine.run() that is refused says how to wait for the run in progress", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const [layer, other] = [createLayer(engine, CONFIG), createLayer(engine, CONFIG)];
  await Promise.all([layer.ready(), other.ready()]);
  const first = layer.forward();
  const second = other.forward();
  const [, refused] = await Promise.allSettled([first, second]);
  assert(refused.status === "rejected");
  assertMatch(refused.reason.message, /a run is in progress, await it \(await engine.idle\(\)/);
  await engine.idle();
  await other.forward();
});

Deno.test("Engine.idle() of the simulator and of an engine where nothing runs resolves", async () => {
  for (const kind of ["simulate", "cpu"] as const) {
    using engine = openEngine({ kind, nodes: 1, ranksPerNode: 2 });
    await engine.idle();
    const layer = createLayer(engine, CONFIG);
    const running = layer.forward();
    await engine.idle();
    await running;
  }
});
