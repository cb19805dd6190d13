import { assert, assertEquals, assertThrows } from "@std/assert";
import { createModel, hashed, type ModelConfig, openEngine, SchemoeError } from "../../mod.ts";

const sizes: ModelConfig = {
  ...{ vocabulary: 11, context: 6, batch: 2, modelDim: 8, attention: { heads: 2 }, rate: 0.01 },
  layers: [{ moe: { experts: 4, hiddenDim: 8, gate: hashed({ k: 2, vocabulary: 11 }) } }],
};
const open = (ranksPerNode: number) =>
  openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });
const tokensOf = (ranks: number) =>
  Int32Array.from({ length: ranks * 2 * 7 }, (_, i) => (i * i + 3 * i) % 11);
const TABLE = "blocks.0.moe.gate.table";

for (const [ranks, microbatches] of [[1, 1], [2, 1], [2, 2]]) {
  for (const routing of [{ capacityFactor: 0 }, { dropless: true }]) {
    const [[how]] = Object.entries(routing);
    Deno.test(`hashed() in a model chooses by its tokens, ${ranks} ranks, ${microbatches} microbatches, ${how}`, async () => {
      using engine = open(ranks);
      const layers = sizes.layers.map((block) =>
        "moe" in block ? { moe: { ...block.moe, routing } } : block
      );
      using model = createModel(engine, { ...sizes, layers, microbatches });
      const table = await model.read(TABLE);
      const tokens = tokensOf(ranks);
      const expected = new Int32Array(ranks * 4);
      for (let row = 0; row < 2 * ranks; row++) {
        for (const id of tokens.subarray(7 * row, 7 * row + 6)) {
          for (const expert of table.subarray(2 * id, 2 * id + 2)) {
            expected[4 * Math.floor(row / 2) + expert]++;
          }
        }
      }
      for (let step = 0; step < 2; step++) {
        const { layerLoads } = await model.step(tokens);
        assertEquals([...layerLoads![0]], [...expected]);
      }
    });
  }
}

Deno.test("a model's table of experts is in its checkpoint, and can be set", async () => {
  const path = await Deno.makeTempFile();
  using engine = open(1);
  const table = Int32Array.from({ length: 22 }, (_, i) => (i + 1) % 4);
  const losses: (number | undefined)[] = [];
  {
    using model = createModel(engine, sizes);
    model.set({ [TABLE]: table });
    await model.step(tokensOf(1));
    await model.save(path);
    losses.push((await model.step(tokensOf(1))).loss);
  }
  using model = createModel(engine, sizes, { seed: 2 });
  assert((await model.read(TABLE)).some((expert, i) => expert !== table[i]));
  await model.load(path);
  assertEquals([...await model.read(TABLE)], [...table]);
  assertEquals((await model.step(tokensOf(1))).loss, losses[0]);
  await Deno.remove(path);
});

Deno.test("createModel() refuses a table for fewer tokens than the vocabulary", () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 1 });
  const message = 'layers[0]: the table of the gate "hashed" has 11 tokens, the vocabulary 12';
  assertThrows(() => createModel(engine, { ...sizes, vocabulary: 12 }), SchemoeError, message);
});
