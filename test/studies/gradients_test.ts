import { assert, assertEquals, assertRejects } from "@std/assert";
import { createLayer, openEngine, SchemoeError, topK } from "../../mod.ts";
import { ffn, routerOf, switchBalance, z } from "../../lib/blocks/mod.ts";
import type { Expert, Loss } from "../../lib/blocks/mod.ts";
import { gemm, matrixOf, readRows, writeRows } from "../../lib/kernels/mod.ts";
import { gradientStudy } from "../../lib/studies/mod.ts";

const open = () => openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
const SIZES = { tokens: [12, 20], modelDim: 8, hiddenDim: 12, experts: 4, gate: topK({ k: 2 }) };

Deno.test("gradientStudy() finds right gradients right, of losses and dropless layers too", async () => {
  using engine = open();
  const losses = [switchBalance({ weight: 0.3 }), z({ weight: 0.1 })];
  for (const routing of [{ capacityFactor: 0 }, { dropless: true }]) {
    using layer = createLayer(engine, { ...SIZES, losses, routing });
    const before = layer.get("experts.w1");
    const study = await gradientStudy(layer);
    assertEquals(study.wrong, [], `${study}`);
    const tensors = ["x", "gate.weight", "experts.w1", "experts.b1", "experts.w2", "experts.b2"];
    assertEquals(study.rows.map(({ tensor }) => tensor), [...tensors, ...tensors]);
    assertEquals(layer.get("experts.w1"), before);
    assert(`${study}`.endsWith("all agree within 5 %"));
  }
});

/** The rows that are wrong, as `tensor/chunks`. */
async function wrongOf(config: Parameters<typeof createLayer>[1]): Promise<string[]> {
  using engine = open();
  using layer = createLayer(engine, config);
  const { wrong } = await gradientStudy(layer);
  return wrong.map(({ tensor, chunks }) => `${tensor}/${chunks}`);
}

Deno.test("gradientStudy() names what an expert does not add up, and what it forgets", async () => {
  const plain = ffn({ bias: false });
  const changed = (more: Partial<Expert>): Expert => ({ ...plain, name: "changed", ...more });
  const lastChunk = changed({
    weightGrad: (c) => [
      gemm(c.saved("h"), c.dy, c.gradient("w2"), { transA: true }),
      gemm(c.x, c.saved("d1"), c.gradient("w1"), { transA: true, add: !c.first }),
    ],
  });
  const config = { ...SIZES, routing: { capacityFactor: 0 } };
  assertEquals(await wrongOf({ ...config, expert: lastChunk }), ["experts.w2/2"]);
  const noSlope = changed({
    inputGrad: (c) => [
      gemm(c.dy, c.parameter("w2"), c.saved("d1"), { transB: true }),
      gemm(c.saved("d1"), c.parameter("w1"), c.dx, { transB: true }),
    ],
  });
  assertEquals(await wrongOf({ ...config, expert: noSlope }), [
    ...["x/1", "experts.w1/1"],
    ...["x/2", "experts.w1/2"],
  ]);
});

Deno.test("gradientStudy() names the weight of a router whose gradient is another, and takes one that is 0", async () => {
  const router = (grad: number) =>
    routerOf({
      name: "first by sigmoid",
      k: 1,
      route: ({ tokens, experts, logits }) => ({
        choices: Int32Array.from({ length: tokens }, (_, t) => t % experts),
        weights: Float32Array.from(
          { length: tokens },
          (_, t) => grad === 0 ? 1 : 1 / (1 + Math.exp(-logits[t * experts + t % experts])),
        ),
      }),
      grad: ({ tokens, experts, weights, dWeights }) => {
        const gradient = new Float32Array(tokens * experts);
        for (let t = 0; t < tokens; t++) {
          gradient[t * experts + t % experts] = grad * dWeights[t] * weights[t] * (1 - weights[t]);
        }
        return gradient;
      },
    });
  const config = { ...SIZES, routing: { dropless: true } };
  assertEquals(await wrongOf({ ...config, gate: router(1) }), []);
  assertEquals(await wrongOf({ ...config, gate: router(0) }), []);
  const wrong = await wrongOf({ ...config, gate: router(-1) });
  assert(wrong.includes("gate.weight/1") && wrong.includes("gate.weight/2"), `${wrong}`);
});

/** Sum of p log p of the mean probability p of each expert: lowest where all are alike. */
const entropy = (weight: number, slope: number): Loss => ({
  name: "entropy",
  weight,
  slopes: ["balance"],
  forward: (c) => [
    c.host((at) => {
      const { rows, tokens } = c;
      const means = new Float64Array(rows);
      readRows(at, matrixOf(c.scores, tokens, rows)).forEach((score, i) =>
        means[i % rows] += score / tokens
      );
      const loss = means.reduce((sum, p) => sum + p * Math.log(p), 0);
      const total = matrixOf(c.total, 1, 1);
      writeRows(at, matrixOf(c.loss, 1, 1), 0, Float32Array.of(loss));
      writeRows(at, total, 0, Float32Array.of(readRows(at, total)[0] + weight * loss));
      const slopes = matrixOf(c.slopes.balance!, 1, rows);
      const own = (p: number) => slope * weight * (1 + Math.log(p)) / tokens;
      writeRows(at, slopes, 0, readRows(at, slopes).map((before, e) => before + own(means[e])));
    }),
  ],
});

Deno.test("gradientStudy() finds a loss of one's own right beside others, and names a wrong slope", async () => {
  for (const losses of [[], [switchBalance({ weight: 0.5 })]]) {
    assertEquals(await wrongOf({ ...SIZES, losses: [entropy(8, 1), ...losses] }), []);
    assertEquals(await wrongOf({ ...SIZES, losses: [...losses, entropy(8, 1)] }), []);
  }
  const wrong = await wrongOf({ ...SIZES, losses: [entropy(8, -1)] });
  assert(wrong.includes("gate.weight/1") && wrong.includes("gate.weight/2"), `${wrong}`);
});

Deno.test("gradientStudy() refuses engines without values, bfloat16 and options that it has not", async () => {
  using simulator = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  using engine = open();
  const layer = createLayer(engine, SIZES);
  const cases: readonly [Parameters<typeof gradientStudy>, RegExp][] = [
    [[createLayer(simulator, SIZES)], /"simulate" computes no values/],
    [[createLayer(engine, { ...SIZES, dtype: "bfloat16" })], /make it in float32/],
    [[layer, { step: 2 }], /step is 2/],
    [[layer, { directions: 0 }], /directions is 0/],
    [[layer, { chunks: [] }], /chunks must be a list/],
    [[layer, { chunk: 2 } as never], /chunk/],
  ];
  for (const [given, message] of cases) {
    const error = await assertRejects(() => gradientStudy(...given), SchemoeError);
    assert(message.test(error.message), error.message);
  }
});
