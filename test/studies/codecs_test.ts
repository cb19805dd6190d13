import { assert, assertAlmostEquals, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type CodecData,
  codecRows,
  CodecStudy,
  codecStudy,
  dispatchedRows,
} from "../../lib/studies/mod.ts";
import { createLayer, createModel, openEngine, SchemoeError } from "../../mod.ts";
import { type Scheduler, sequential } from "../../lib/schedulers/mod.ts";
import { bf16, fp8 } from "../../lib/compressors/mod.ts";
import { tune } from "../../lib/adaptive/mod.ts";
import { ffn, topK } from "../../lib/blocks/mod.ts";
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

Deno.test("codecStudy() of a run has the errors of its layer under the choices of the run", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, config);
  const how = { scheduler: "optSche", allToAll: "pipe", chunks: 4 };
  const x = randomNormal(2 * 32 * 64, { seed: 3 });
  const forward = await layer.forward({ ...how, compressor: "bf16", x });
  const backward = await layer.backward(how);
  const errors = (rows: CodecStudy) =>
    [...rows].map(({ output, gradients }) => ({ output, gradients }));
  const codecs = ["zfp", "int8"];
  const expected = errors(await codecStudy(layer, { codecs, choices: how }));
  assertEquals(errors(await codecStudy(forward, { codecs })), expected);
  assertEquals(errors(await codecStudy(backward, { codecs })), expected);
  let ordered = 0;
  const counting = {
    ...sequential,
    order: (...of: Parameters<Scheduler["order"]>) => (ordered++, sequential.order(...of)),
  };
  const counted = await layer.forward({ scheduler: counting });
  assertEquals(ordered, 1);
  await codecStudy(counted, { codecs: [] });
  assertEquals(ordered, 2, "forward was known, backward is new");
  await codecStudy(counted, { codecs: [], choices: { scheduler: "optSche" } });
  assertEquals(ordered, 2);
  using model = createModel(engine, {
    ...{ vocabulary: 5, context: 4, batch: 1, modelDim: 8, attention: { heads: 1 } },
    layers: [{ moe: { experts: 2, hiddenDim: 8 } }],
  });
  const step = await model.step(new Int32Array(2 * 5));
  await assertRejects(() => codecStudy(step), SchemoeError, "is none of a layer; give the layer");
});

Deno.test("codecStudy() refuses what it cannot study, naming it", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, config);
  const twice = [{ ...bf16, name: "mine" }, { ...fp8, name: "mine" }];
  const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ codec: ["fp8"] }, 'did you mean "codecs"'],
    [{ codecs: "fp8" }, 'codecs is "fp8", not a list'],
    [{ codecs: ["fp9"] }, 'Unknown compressor "fp9"'],
    [{ codecs: [{ dispatch: "fp8", combine: "none" }] }, "not a compressor or the name of one"],
    [{ codecs: twice }, 'two codecs are called "mine"'],
    [{ choices: { scheduler: "auto" } }, "name a scheduler"],
  ];
  for (const [options, text] of wrong) {
    await assertRejects(() => codecStudy(layer, options as never), SchemoeError, text);
  }
  await assertRejects(() => codecStudy(undefined as never), SchemoeError, "got undefined");
  const promised = layer.forward();
  await assertRejects(() => codecStudy(promised as never), SchemoeError, 'write "await" before it');
  await promised;
});

Deno.test("codecStudy() and tune() take layers whose expert is forward only", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const { inputGrad: _, weightGrad: __, ...forwardOnly } = ffn();
  using layer = createLayer(engine, { ...config, expert: { ...forwardOnly, name: "forwardOnly" } });
  const study = await codecStudy(layer, { codecs: ["bf16", "int4"] });
  assertEquals(study.map(({ gradients }) => gradients), [{}, {}]);
  assert(study[0].output.rmse < study[1].output.rmse);
  assertMatch(study.text, /^bf16.* - +- +/m);
  const { forward, made } = await tune(layer, { error: 0.01, budget: { runs: 4 }, chunks: [1] });
  assert(made.backward === undefined && forward.chunks === 1);
  assert(made.errors.length > 5 && made.errors.every(({ backward }) => backward === 0));
});

Deno.test("codecStudy() makes rows for ranks of unequal numbers of tokens, and shows rows that are no numbers", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using layer = createLayer(engine, { ...config, tokens: [5, 0] });
  const [row] = await codecStudy(layer, { codecs: ["bf16"], data: "normal" });
  assert(row.output.rmse > 0 && row.output.rmse < 0.01);
  const [broken] = await codecStudy(layer, {
    codecs: ["fp8"],
    data: new Float32Array(64).fill(NaN),
  });
  assert(Number.isNaN(broken.output.rmse) && Number.isNaN(broken.output.worstRow));
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

const row = (codec: string, bits: number, makespan: number, rmse: number) => ({
  ...{ codec, bits, makespan, output: { rmse, worstRow: 2 * rmse, cosine: 1 - rmse ** 2 / 2 } },
  gradients: { x: { rmse: 3 * rmse, worstRow: rmse, cosine: 1 } },
});

Deno.test("CodecStudy shows errors against time, a table, and the codecs that no other one beats", async () => {
  const study = new CodecStudy();
  study.push(
    row("none", 32, .01, 0),
    { ...row("zfp", 8, .005, .02), encodeRate: 1.5, decodeRate: 2 },
    row("int4", 6, .004, .1),
    row("slow", 8, .02, .03),
  );
  assertEquals(study.front.map(({ codec }) => codec), ["int4", "zfp", "none"]);
  const [heads, , line] = study.text.split("\n");
  assertEquals(heads.trim().split(/ +/)[0], "codec");
  assertEquals(line.trim().split(/ +/), [
    ...["zfp", "8", "0.0200", "0.0400", "0.999800", "0.0600", "0.0600"],
    ...["1.50", "2.00", "5.00"],
  ]);
  const bundle = await (study as unknown as Record<symbol, () => Promise<Record<string, string>>>)[
    Symbol.for("Jupyter.display")
  ]();
  const svg = bundle["image/svg+xml"];
  assertEquals(svg.match(/<circle/g)!.length, 4);
  assert(svg.includes("none (32), exact") && svg.includes("zfp (8)"));
  assertEquals(await study.svg(), await study.svg());
  assertEquals(study.map(({ codec }) => codec), ["none", "zfp", "int4", "slow"]);
});

Deno.test("codecStudy() takes normal values, outliers and given rows", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, { ...config, modelDim: 128 });
  const codecs = ["int8", "int8Blocks", "zfp"];
  const errors = async (data: CodecData | Float32Array) =>
    (await codecStudy(layer, { codecs, data })).map(({ output }) => output.rmse);
  const [normal, outliers] = [await errors("normal"), await errors("outliers")];
  // one scale for a row suffers most
  assert(outliers[0] / normal[0] > 1.5, `${outliers} ${normal}`);
  const options = { count: 2 * 32 * 128, columns: 128, seed: 1 };
  const given = await errors(codecRows("normal", options));
  assertAlmostEquals(given[2], normal[2], 1e-6);
  await assertRejects(() => errors("white" as CodecData), SchemoeError, 'unknown data "white"');
  await assertRejects(() => errors(new Float32Array(5)), SchemoeError, "5 values are no rows");
});

Deno.test("dispatchedRows() are the rows that a model's experts get", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const moe = {
    experts: 2,
    hiddenDim: 8,
    expert: ffn({ activation: "relu" }),
    gate: topK({ k: 1 }),
  };
  const sizes = { vocabulary: 11, context: 8, batch: 2, modelDim: 8, attention: { heads: 2 } };
  const layers = [{ moe: { ...moe, routing: { capacityFactor: 0 } } }];
  using model = createModel(engine, { ...sizes, layers });
  const tokens = Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => i % 11);
  const rows = await dispatchedRows(model, tokens);
  assertEquals(rows.length, 2 * 2 * 8 * 8);
  // behind a norm of the model
  for (let at = 0; at < rows.length; at += 8) {
    const square = rows.subarray(at, at + 8).reduce((sum, v) => sum + v * v, 0) / 8;
    assertAlmostEquals(square, 1, 1e-2);
  }
});
