import { assertEquals, assertNotEquals } from "@std/assert";
import { createModel, openEngine, topK } from "../../mod.ts";

Deno.test("a capacity factor below 0 drops in a model what it drops in a layer", async () => {
  const tokens = Int32Array.from({ length: 2 * 2 * 17 }, (_, i) => (i * i) % 7);
  const stepsOf = async (capacityFactor: number) => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
    using model = createModel(engine, {
      ...{ vocabulary: 7, context: 16, batch: 2, modelDim: 8, attention: { heads: 2 }, rate: 0.1 },
      layers: [{
        moe: { experts: 4, hiddenDim: 8, gate: topK({ k: 2 }), routing: { capacityFactor } },
      }],
    });
    const losses = [];
    for (let step = 0; step < 3; step++) losses.push((await model.step(tokens)).loss);
    return losses;
  };
  // the largest load is more than a factor of 1 allows, so that both allow the same
  assertEquals(await stepsOf(-1), await stepsOf(1));
  assertNotEquals(await stepsOf(-1), await stepsOf(0));
  assertEquals(await stepsOf(-100), await stepsOf(0));
});
