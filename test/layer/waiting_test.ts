import { assertEquals, assertRejects } from "@std/assert";
import { createLayer, createStack, openEngine, SchemoeError } from "../../mod.ts";
import { calling } from "../native/programs.ts";

const sizes = { tokens: 8, modelDim: 8, hiddenDim: 16, experts: 4 };

/** An engine on which nothing can begin until it is let go: values of tensors wait for it too. */
function held() {
  const engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const gate = Promise.withResolvers<void>();
  const holding = calling(engine.topology, () => gate.promise);
  const over = engine.run(holding, engine.workspace(), { background: true });
  return { engine, letGo: () => (gate.resolve(), over) };
}

Deno.test("a pass is given up by its signal or its limit while values of its tensors are made", async () => {
  const { engine, letGo } = held();
  using _ = engine;
  const layer = createLayer(engine, sizes);
  const stack = createStack(engine, { layer: sizes, layers: 2 });
  for (const [owner, of] of [["layer", layer], ["stack", stack]] as const) {
    const late = await assertRejects(
      () => of.forward({ timeLimit: 0.05 }),
      SchemoeError,
      `Cannot run the pass in 0.05 s: values of the ${owner}'s tensors are still being made`,
    );
    assertEquals(late.status, 4);
    const stop = new AbortController();
    const running = of.forward({ signal: stop.signal });
    stop.abort("enough");
    const aborted = await assertRejects(
      () => running,
      SchemoeError,
      `Cannot run the pass: it was aborted while values of the ${owner}'s tensors are still being made`,
    );
    assertEquals([aborted.status, aborted.cause], [3, "enough"]);
  }
  await assertRejects(() => layer.forward({ timeLimit: -1 }), SchemoeError, "-1 is not positive");
  for (const [timeLimit, said] of [["5", '"5"'], [null, "null"]] as unknown as [number, string][]) {
    await assertRejects(
      () => layer.forward({ timeLimit }),
      SchemoeError,
      `timeLimit must be a number of seconds, got ${said}`,
    );
  }
  await letGo();
  // what was given up has broken nothing
  const [first, second] = [await layer.forward({ results: true }), await layer.forward()];
  assertEquals(first.output, second.output);
  await stack.forward();
});

Deno.test("a run is given up by its signal or its limit while it waits for values of others", async () => {
  const { engine, letGo } = held();
  using _ = engine;
  const workspace = engine.workspace();
  const work = calling(engine.topology, () => {});
  const late = await assertRejects(
    () => engine.run(work, workspace, { timeLimit: 0.05 }),
    SchemoeError,
    "Cannot run the Program in 0.05 s: values of tensors are still being made",
  );
  assertEquals(late.status, 4);
  const stop = new AbortController();
  const running = engine.run(work, workspace, { signal: stop.signal });
  stop.abort("enough");
  const aborted = await assertRejects(() => running, SchemoeError, "it was aborted while");
  assertEquals([aborted.status, aborted.cause], [3, "enough"]);
  await letGo();
  await engine.run(work, workspace);
});
