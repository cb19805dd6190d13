import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError } from "../../mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { fixedRateZfp, zfp } from "../../lib/compressors/mod.ts";
import { throughCodec } from "./through.ts";
import { throughZfp } from "./zfp_reference.ts";

Deno.test("fixedRateZfp() refuses rates and dimensions that there are not", () => {
  for (const rate of [2, 17, 8.5, NaN]) {
    assertThrows(
      () => fixedRateZfp({ rate }),
      SchemoeError,
      `Cannot use zfp: its rate is ${rate}, not an integer from 3 to 16`,
    );
  }
  assertThrows(
    () => fixedRateZfp({ dimensions: 3 as 2 }),
    SchemoeError,
    "Cannot use zfp: it has 3 dimensions, not 1 or 2",
  );
});

Deno.test("fixedRateZfp().wireBytes() counts streams of whole 64-bit words, per expert or per row", () => {
  const bytes = (rate: number, dimensions: 1 | 2, rows: number, columns: number) =>
    fixedRateZfp({ rate, dimensions }).wireBytes({ rows, columns });
  assertEquals([bytes(8, 2, 4, 4), bytes(4, 2, 4, 4), bytes(8, 2, 3, 5)], [16, 8, 32]);
  assertEquals([bytes(8, 1, 1, 16), bytes(3, 1, 5, 4)], [16, 40]);
  assertEquals(zfp.wireBytes({ rows: 10, columns: 8, groups: [3, 0, 6, 1] }), 32 + 0 + 64 + 32);
});

Deno.test("fixedRateZfp() at every rate gives the reference's values, bit for bit", async () => {
  for (const dimensions of [1, 2] as const) {
    for (let rate = 3; rate <= 16; rate++) {
      const [rows, columns] = [1 + rate % 6, 1 + (5 * rate) % 13];
      const values = randomNormal(rows * columns, { seed: rate });
      const got = await throughCodec(fixedRateZfp({ rate, dimensions }), values, columns);
      assertEquals(got, throughZfp(values, { columns, rate, dimensions }), `${dimensions} ${rate}`);
    }
  }
});

Deno.test("zfp on white values has the error that its documentation says", async () => {
  const values = randomNormal(64 * 256, { seed: 5 });
  for (
    const [rate, dimensions, error] of [[4, 2, .29], [8, 2, .018], [12, 2, .0011], [8, 1, .055]]
  ) {
    const codec = fixedRateZfp({ rate, dimensions: dimensions as 1 | 2 });
    const got = await throughCodec(codec, values, 256);
    const sum = (of: (v: number, i: number) => number) =>
      values.reduce((all, v, i) => all + of(v, i) ** 2, 0);
    assertAlmostEquals(Math.sqrt(sum((v, i) => got[i] - v) / sum((v) => v)) / error, 1, .12);
  }
});

Deno.test("zfp names the row that holds NaN or an infinity", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, { tokens: 4, modelDim: 8, hiddenDim: 4, experts: 2 });
  const x = new Float32Array(64).fill(1);
  x[3] = Infinity;
  const error = await assertRejects(() => layer.forward({ x, compressor: "zfp" }), SchemoeError);
  assertEquals(
    /kernel encode: row \d of \d+ holds a value that is not finite, which zfp cannot represent/
      .test(error.message),
    true,
    error.message,
  );
});

Deno.test("zfp runs dropless, padded and by peers, forward and backward", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  for (const capacityFactor of [1, 0]) {
    const config = {
      tokens: 24,
      modelDim: 8,
      hiddenDim: 8,
      experts: 8,
      routing: { capacityFactor },
    };
    using layer = createLayer(engine, config as Parameters<typeof createLayer>[1]);
    const [x, dy] = [1, 2].map((seed) => randomNormal(4 * 24 * 8, { seed }));
    const precise = fixedRateZfp({ rate: 16 });
    const run = async (compressor: typeof zfp | string) => {
      const forward = await layer.forward({ x, compressor, chunks: 2 });
      const backward = await layer.backward({ dy, compressor, chunks: 2 });
      return [...forward.output!, ...backward.gradients!.x];
    };
    const expected = await run("none");
    (await run(precise)).forEach((v, i) => assertAlmostEquals(v, expected[i], 0.02));
  }
});

Deno.test("zfp in two dimensions gives the same bits for any number of chunks, which are cut at four rows", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const size = { tokens: 90, modelDim: 12, hiddenDim: 8, experts: 4 };
  const [x, dy] = [1, 2].map((seed) => randomNormal(2 * 90 * 12, { seed }));
  for (const routing of [{ capacityFactor: 1.1 }, { capacityFactor: 0 }, { dropless: true }]) {
    using layer = createLayer(engine, { ...size, routing });
    const passes = async (chunks: number) => {
      const choices = { compressor: "zfp", chunks, scheduler: "optSche" };
      const output = (await layer.forward({ ...choices, x })).output!.slice();
      return [output, (await layer.backward({ ...choices, dy })).gradients!.x.slice()];
    };
    const whole = await passes(1);
    for (const chunks of [2, 3, 5]) {
      assertEquals(await passes(chunks), whole, `${JSON.stringify(routing)}, ${chunks} chunks`);
    }
    // one chunk a place or so: cut anywhere, within the codec's error
    const [fine] = await passes(12);
    const distance = Math.hypot(...fine.map((v, i) => v - whole[0][i]));
    assert(distance < .1 * Math.hypot(...whole[0]), `${distance}`);
  }
});
