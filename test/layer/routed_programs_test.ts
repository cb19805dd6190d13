import { assert, assertEquals } from "@std/assert";
import { createLayer, openEngine, topK } from "../../mod.ts";
import { expertWaves } from "../../lib/chunking/mod.ts";
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

Deno.test("a dropless layer whose gate chooses as before or otherwise has the bits of a new one, however it is split", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const config = { ...sizes, routing: { dropless: true } } as const;
  using layer = createLayer(engine, config);
  const x = (number: number) =>
    new Float32Array(2 * sizes.tokens * sizes.modelDim).map((_, i) => Math.sin(number * i + i * i));
  const passes = [[0, 1], [0, 1], [1, 1], [1, 2], [0, 2], [0, expertWaves(2)], [
    2,
    expertWaves(2),
  ], [2, 1]] as const;
  for (const [number, chunks] of passes) {
    const choices = { x: x(number), chunks };
    const [run, back] = [await layer.forward(choices), await layer.backward({ chunks })];
    using other = createLayer(engine, config);
    const [expected, gradients] = [
      await other.forward(choices),
      await other.backward({ chunks }),
    ];
    assertEquals(run.output, expected.output);
    assertEquals(back.gradients, gradients.gradients);
    assertEquals(run.configuration, expected.configuration);
    assertEquals(back.configuration, gradients.configuration);
    assertEquals(back.configuration.pass, "backward");
  }
});
