import { assert, assertEquals } from "@std/assert";
import { createLayer, openEngine } from "../../mod.ts";
import { bf16, fp16, int8, none } from "../../lib/compressors/mod.ts";
import { throughCodec } from "./through.ts";

const MOST = 3.4028234663852886e38;

Deno.test("int8 keeps finite rows of any range, within half a step of it", async () => {
  const rows = [[3e38, -3e38, 0, 1, 2, 3], [MOST, -MOST, 0, 1, -1, MOST / 2], [
    -MOST,
    0,
    0,
    0,
    0,
    1e-40,
  ]];
  for (const row of rows) {
    const got = await throughCodec(int8, Float32Array.from(row), 6);
    const step = (Math.max(...row) - Math.min(...row)) / 255;
    row.forEach((value, i) => {
      assert(Number.isFinite(got[i]), `${row} as ${got}`);
      assert(Math.abs(got[i] - value) <= step / 2 * 1.001, `${row} as ${got}`);
    });
  }
});

Deno.test("int8 keeps rows whose range is below the normal numbers, each value within half a step", async () => {
  const unit = 2 ** -149;
  for (
    const range of [1, 3, 100, 255, 256, 300, 1000, 70_000, 2 ** 23, 2 ** 23 + 9, 255 * 2 ** 23]
  ) {
    for (const base of [0, -5, 2 ** 22]) {
      const row = Float32Array.from([0, 1, range / 3, range / 2, range - 1, range], (x) => {
        return (base + Math.round(x)) * unit;
      });
      const got = await throughCodec(int8, row, 6);
      // A step is a whole number of the smallest number there is.
      const step = Math.ceil(range / 255) * unit;
      row.forEach((value, i) => {
        assert(Math.abs(got[i] - value) <= step / 2, `${range}: ${row} as ${got}`);
      });
    }
  }
});

Deno.test("NaN and infinities pass through the codecs that can represent them", async () => {
  for (const odd of [NaN, Infinity, -Infinity]) {
    const row = Float32Array.from([1, 2, 3, 4, 5, odd]);
    for (const codec of [none, fp16, bf16]) assertEquals(await throughCodec(codec, row, 6), row);
    const got = await throughCodec(int8, row, 6);
    assertEquals(got, new Float32Array(6).fill(NaN));
  }
});

Deno.test("what int8 brings back through a layer keeps NaN and range", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  for (const row of [[1, 2, 3, 4, 5, NaN], [3e38, -3e38, 0, 1, 2, 3]]) {
    using layer = createLayer(engine, { tokens: 2, modelDim: 6, hiddenDim: 4, experts: 2 });
    await layer.ready();
    layer.set({
      "experts.b2": Float32Array.from([...row, ...row]),
      "experts.w2": layer.get("experts.w2").fill(0),
      "gate.weight": Float32Array.from({ length: 12 }, (_, i) => i < 6 ? 100 : -100),
    });
    const run = await layer.forward({ x: new Float32Array(24).fill(1), compressor: "int8" });
    const arrived = run.output!.slice(12, 18);
    const broken = Number.isNaN(row[5]);
    arrived.forEach((value, i) => {
      if (broken) assert(Number.isNaN(value));
      else assert(Math.abs(value - row[i]) <= 6e38 / 510 * 1.001);
    });
  }
});
