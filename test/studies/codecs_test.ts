import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { codecStudy } from "../../lib/studies/mod.ts";
import { createLayer, openEngine, SchemoeError } from "../../mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { valueError } from "../../lib/studies/codecs/error.ts";

const config = { tokens: 32, modelDim: 64, hiddenDim: 32, experts: 4 };

Deno.test("valueError() is 0 for equal values and counts rows apart", () => {
  const right = Float32Array.of(3, 4, 0, 0, 6, 8);
  assertEquals(valueError(right, right, 2), { rmse: 0, worstRow: 0, cosine: 1 });
  const { rmse, worstRow, cosine } = valueError(Float32Array.of(3, 4, 0, 0, 6, 13), right, 2);
  assertAlmostEquals(rmse, 5 / Math.sqrt(125));
  assertAlmostEquals(worstRow, .5);
  assertAlmostEquals(cosine, (25 + 36 + 104) / Math.sqrt(125 * (25 + 36 + 169)));
});

Deno.test("codecStudy() has bits, times and errors of every codec, none of them for none", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, config);
  const [x, dy] = [1, 2].map((seed) => randomNormal(2 * 32 * 64, { seed }));
  const rows = await codecStudy(layer, { x, dy, choices: { chunks: 2 } });
  const of = Object.fromEntries(rows.map((row) => [row.codec, row]));
  assertEquals(of.none.output, { rmse: 0, worstRow: 0, cosine: 1 });
  assertEquals([of.none.bits, of.bf16.bits, of.zfp.bits, of.int4.bits], [32, 16, 8, 6]);
  for (const { codec, makespan, output, gradients, encodeRate, decodeRate } of rows) {
    assert(makespan > 0, codec);
    assert(Object.keys(gradients).includes("experts.w1"), codec);
    if (codec === "none") continue;
    assert(output.rmse > 0 && output.worstRow >= output.rmse && output.cosine < 1, codec);
    assert(encodeRate! > 0 && decodeRate! > 0, codec);
  }
  const order = ["fp16", "bf16", "int8Blocks", "zfp", "fp8", "fp8e5m2", "mxfp4"];
  const errors = order.map((name) => of[name].output.rmse);
  assertEquals(errors, errors.toSorted((a, b) => a - b));
});

Deno.test("codecStudy() needs an engine that computes", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 1 });
  const layer = createLayer(engine, config);
  await assertRejects(
    () => codecStudy(layer, { codecs: ["fp8"] }),
    SchemoeError,
    "Cannot study codecs: the layer's engine computes no values",
  );
});
