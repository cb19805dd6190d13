import { assertEquals, assertRejects } from "@std/assert";
import { createLayer, openEngine, SchemoeError, topK, topology } from "../../mod.ts";

const sizes = {
  tokens: 64,
  modelDim: 64,
  hiddenDim: 128,
  experts: 4,
  gate: topK({ k: 2 }),
  routing: { capacityFactor: 0 },
};
const gate = new Float32Array(4 * 64).map((_, i) => (i % 7 - 3) / 10);
const x = new Float32Array(2 * 64 * 64).map((_, i) => (i % 11 - 5) / 10);

/** What comes of values that are given at one of several moments. */
async function output(give: "ready first" | "at once" | "a moment later" | "x alone") {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, sizes, { seed: 5 });
  if (give === "ready first") await layer.ready();
  if (give === "a moment later") await Promise.resolve();
  if (give !== "x alone") await layer.set({ "gate.weight": gate });
  const run = await layer.forward({ x });
  const values = await run.output;
  if (give !== "x alone") assertEquals(await layer.read("gate.weight"), gate);
  return values;
}

Deno.test("values that are given while random ones are made take their place", async () => {
  const expected = await output("ready first");
  assertEquals(await output("at once"), expected);
  assertEquals(await output("a moment later"), expected);
});

Deno.test("an input that is given to the first pass is the one that is used", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, sizes, { seed: 5 });
  await layer.ready();
  const expected = await (await layer.forward({ x })).output;
  assertEquals(await output("x alone"), expected);
});

Deno.test("parameters are made as fast as it goes, whatever speed of computation is emulated", async () => {
  const world = topology({ nodes: 1, ranksPerNode: 2, speed: [1, 1e-9] });
  using engine = openEngine({ kind: "cpu", topology: world, links: "plain", computation: "paced" });
  using layer = createLayer(engine, { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 2 });
  await layer.ready();
  await assertRejects(() => layer.forward({ timeLimit: 0.1 }), SchemoeError, "in 0.1 s");
});

Deno.test("read() and get() give x and dy, whether they were given or are random", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, sizes, { seed: 5 });
  const random = await layer.read("dy");
  await layer.forward({ x });
  assertEquals([layer.get("x"), await layer.read("x")], [x, x]);
  assertEquals(layer.get("dy"), random);
  const { gradients } = await layer.backward();
  const given = gradients!["gate.weight"];
  const dy = random as Float32Array<ArrayBuffer>;
  assertEquals((await layer.backward({ dy })).gradients!["gate.weight"], given);
});
