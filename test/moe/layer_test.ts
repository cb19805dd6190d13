import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createLayer, openEngine, SchemoeError, topology } from "../../mod.ts";

const config = { tokens: 32, modelDim: 8, hiddenDim: 16, experts: 4, topK: 2 };
const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
/** Links so slow that a pass cannot end in less than a tenth of a second. */
const slow = topology({ nodes: 1, ranksPerNode: 2, intra: { alpha: 0.05 } });

Deno.test("backward() needs a forward pass that succeeded with the same values", async () => {
  using engine = openEngine({ kind: "cpu", topology: slow });
  using layer = createLayer(engine, config);
  const refused = () => assertRejects(() => layer.backward(), SchemoeError, "run forward first");
  await refused();
  await layer.forward();
  await layer.backward();
  layer.set({ "gate.weight": layer.get("gate.weight") });
  await refused();
  await layer.forward();
  await assertRejects(() => layer.forward({ timeLimit: 0.01 }), SchemoeError);
  await refused();
});

Deno.test("forward() of the same seed gives the same bits, another seed others", async () => {
  using engine = open();
  const outputs: (Float32Array | undefined)[] = [];
  for (const seed of [1, 1, 2]) {
    using layer = createLayer(engine, config, { seed });
    outputs.push((await layer.forward()).output);
  }
  assertEquals(outputs[0], outputs[1]);
  assert(outputs[0]!.some((value, i) => value !== outputs[2]![i]));
});

Deno.test("a Run shows its chart, its verdict and its configuration", async () => {
  using engine = open();
  using layer = createLayer(engine, { ...config, capacityFactor: 0 });
  const run = await layer.forward({ scheduler: "optSche", chunks: 2, compressor: "int8" });
  const shown = await (run as unknown as Record<symbol, () => Promise<Record<string, string>>>)[
    Symbol.for("Jupyter.display")
  ]();
  assertStringIncludes(shown["image/svg+xml"], "<rect");
  for (const part of [run.verdict, "scheduler optSche", "compressor int8", "world 1 x 2"]) {
    assertStringIncludes(shown["text/plain"], part);
  }
  // two Programs: the gate, which tells the capacity, and the rest after it
  assertEquals(run.ran.length, 2);
  const rows = run.timeline.objects() as { name: string; start_ns: number; end_ns: number }[];
  const last = Math.max(...rows.filter(({ name }) => name === "load max").map((row) => row.end_ns));
  assert(rows.filter(({ name }) => name === "dispatch").every((row) => row.start_ns >= last));
});
