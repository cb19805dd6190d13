import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { createModel, noisyTopK, openEngine } from "../../mod.ts";

const tokens = Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => (i * i) % 7);

function make(engine: ReturnType<typeof openEngine>, microbatches = 1) {
  const gate = noisyTopK({ k: 1 });
  return createModel(engine, {
    ...{ vocabulary: 7, context: 8, batch: 2, modelDim: 8, attention: { heads: 2 }, rate: 0 },
    ...{ layers: [{ moe: { experts: 4, hiddenDim: 8, gate } }], microbatches },
  });
}

for (const microbatches of [1, 2]) {
  Deno.test(`noise of a model's gates is another in each step, none in evaluations, ${microbatches} microbatches`, async () => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
    using model = make(engine, microbatches);
    const losses: (number | undefined)[] = [];
    const evaluations = new Set<number>();
    for (let step = 0; step < 4; step++) {
      // a rate of 0: only the noise differs
      losses.push((await model.step(tokens)).loss);
      evaluations.add(await model.evaluate(tokens));
    }
    assertEquals(new Set(losses).size, 4);
    assertEquals(evaluations.size, 1);
    using again = make(engine, microbatches);
    const repeated = [];
    for (let step = 0; step < 4; step++) repeated.push((await again.step(tokens)).loss);
    assertEquals(repeated, losses);
  });
}

Deno.test("a run that goes on from a checkpoint has the noise it would have had", async () => {
  const path = await Deno.makeTempFile();
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using model = make(engine);
  await model.step(tokens);
  await model.save(path);
  const next = (await model.step(tokens)).loss;
  using loaded = make(engine);
  const first = (await loaded.step(tokens)).loss;
  await loaded.load(path);
  assertEquals((await loaded.step(tokens)).loss, next);
  assert(first !== undefined);
  assertNotEquals(first, next);
  await Deno.remove(path);
});
