import { assert, assertAlmostEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, SchemoeError } from "../../mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { errorFeedback, fp8 } from "../../lib/compressors/mod.ts";

/** Multiples of a half, to the nearest. */
const halves = {
  name: "halves",
  wireBytes: ({ rows, columns }: { rows: number; columns: number }) => rows * columns,
  encode: (values: Float32Array) =>
    new Uint8Array(
      Int8Array.from(values, (v) => Math.max(-127, Math.min(127, Math.round(2 * v)))).buffer,
    ),
  decode: (bytes: Uint8Array) => Float32Array.from(new Int8Array(bytes.buffer), (v) => v / 2),
};

Deno.test("errorFeedback() brings the mean over runs of the same values to the right one", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const distance = async (compressor: typeof halves | ReturnType<typeof errorFeedback>) => {
    using layer = createLayer(engine, { tokens: 8, modelDim: 4, hiddenDim: 4, experts: 2 });
    const x = randomNormal(64, { seed: 1 });
    const choices = { compressor: { combine: compressor }, chunks: 2 };
    const expected = (await layer.forward({ x })).output!.slice();
    const mean = new Float32Array(64);
    for (let i = 0; i < 32; i++) {
      (await layer.forward({ x, ...choices })).output!.forEach((v, j) => mean[j] += v / 32);
    }
    return Math.max(...mean.map((v, j) => Math.abs(v - expected[j])));
  };
  const [plain, fed] = [await distance(halves), await distance(errorFeedback(halves))];
  assert(plain > .1, `${plain}`);
  assertAlmostEquals(fed, 0, .02);
});

Deno.test("errorFeedback() keeps its memory where it is made anew for each pass", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, { tokens: 8, modelDim: 4, hiddenDim: 4, experts: 2 });
  const x = randomNormal(32, { seed: 1 });
  const outputs: Float32Array[] = [];
  for (let i = 0; i < 2; i++) {
    const run = await layer.forward({ x, compressor: { combine: errorFeedback(halves) } });
    outputs.push(run.output!.slice());
  }
  assert(outputs[0].some((value, i) => value !== outputs[1][i]), "nothing was fed back");
});

Deno.test("errorFeedback() refuses what is no codec, and native codecs", () => {
  assertThrows(() => errorFeedback("fp8" as never), SchemoeError, 'give a compressor, got "fp8"');
  assertThrows(
    () => errorFeedback(fp8),
    SchemoeError,
    'the compressor "fp8" has no functions encode',
  );
});
