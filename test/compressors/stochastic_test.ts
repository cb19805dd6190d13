import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError } from "../../mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { int4, stochastic } from "../../lib/compressors/mod.ts";

Deno.test("stochastic() gives the same bits however a pass is split and scheduled, padded and dropless", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const capacityFactor of [2, 0]) {
    const config = {
      tokens: 24,
      modelDim: 8,
      hiddenDim: 8,
      experts: 8,
      routing: { capacityFactor },
    };
    using layer = createLayer(engine, config);
    const x = randomNormal(4 * 24 * 8, { seed: 1 });
    const run = async (compressor: typeof int4, chunks: number, allToAll: string) => {
      const { output } = await layer.forward({
        x,
        compressor,
        chunks,
        allToAll,
        scheduler: "optSche",
      });
      return output!;
    };
    const random = stochastic(int4, 3);
    const expected = await run(random, 1, "linear");
    assertEquals(await run(random, 3, "hierarchical2d"), expected);
    assertEquals(await run(random, 2, "linear"), expected);
    assertNotEquals(await run(stochastic(int4, 4), 1, "linear"), expected);
    assertNotEquals(await run(int4, 1, "linear"), expected);
  }
});

Deno.test("stochastic() refuses what is no codec, naming it", () => {
  assertThrows(() => stochastic("fp8" as never, 1), SchemoeError, 'give a compressor, got "fp8"');
  assertThrows(() => stochastic(undefined as never, 1), SchemoeError, "got undefined");
});
