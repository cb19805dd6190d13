import { assert, assertEquals } from "@std/assert";
import { createLayer, openEngine, topK } from "../../mod.ts";
import { chain, fill, floats } from "../native/programs.ts";

const sizes = { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 8, gate: topK({ k: 2 }) };

Deno.test("forget() frees a Program, which may run all the same", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const workspace = engine.workspace();
  const work = chain(engine.topology, (rank) => [fill(2, rank + 1)]);
  for (let time = 0; time < 3; time++) {
    await engine.run(work, workspace);
    assertEquals(floats(workspace.read("a", 1, 8)), [2, 2]);
    engine.forget!(work, workspace);
    engine.forget!(work, workspace);
  }
});

Deno.test("a dropless layer forgets Programs of routings that do not come again, and no others", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const forgotten: string[] = [];
  const forget = engine.forget!.bind(engine);
  engine.forget = (program, workspace) => {
    forgotten.push(`${program.graph.tasks.length}`);
    forget(program, workspace);
  };
  using layer = createLayer(engine, { ...sizes, routing: { dropless: true } });
  const x = (number: number) =>
    new Float32Array(2 * sizes.tokens * sizes.modelDim).map((_, i) => Math.sin(number * i + i * i));
  const first = (await layer.forward({ x: x(0) })).output!;
  for (let number = 1; number < 40; number++) await layer.forward({ x: x(number) });
  const { length } = forgotten;
  assert(length > 10 && length < 40, `${length} were forgotten`);
  // all of one kind: the gate's Program runs each time
  assertEquals(new Set(forgotten).size, 1);
  assertEquals((await layer.forward({ x: x(0) })).output!, first);
});
