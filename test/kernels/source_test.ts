import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createLayer, createStack, openEngine, SchemoeError } from "../../mod.ts";
import { createModel } from "../../lib/model/mod.ts";
import { type Expert, type Gate, topK } from "../../lib/blocks/mod.ts";
import { gemm, placeChoices, sourceKernels } from "../../lib/kernels/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";

const loop = (head: string, body: string) =>
  `void ${head} { for (int64_t i = 0; i < rows * columns; i++) ${body} }`;

/** max(0, x), and its gradient. */
const relu = sourceKernels({
  name: "my relu",
  functions: { forward: { buffers: 2, numbers: 2 }, backward: { buffers: 2, numbers: 2 } },
  cpu: [
    loop(
      "forward(const float* x, float* y, int64_t rows, int64_t columns)",
      "y[i] = x[i] > 0 ? x[i] : 0;",
    ),
    loop(
      "backward(float* dy, const float* y, int64_t rows, int64_t columns)",
      "if (!(y[i] > 0)) dy[i] = 0;",
    ),
  ].join("\n"),
});

/** Two products with it between them, without biases. */
const expert = (
  name: string,
  forward: (c: Parameters<Expert["forward"]>[0]) => ReturnType<Expert["forward"]>,
): Expert => ({
  name,
  parameters: ({ modelDim, hiddenDim }) => [
    { name: "w1", shape: [modelDim, hiddenDim] },
    { name: "w2", shape: [hiddenDim, modelDim] },
  ],
  saved: ({ hiddenDim }) => ["a", "h", "dh"].map((name) => ({ name, columns: hiddenDim })),
  forward,
  inputGrad: (c) => [
    gemm(c.dy, c.parameter("w2"), c.saved("dh"), { transB: true }),
    ...relu.eachExpert("backward", [c.saved("dh"), c.saved("h")]),
    gemm(c.saved("dh"), c.parameter("w1"), c.dx, { transB: true }),
  ],
  weightGrad: (c) => [
    gemm(c.saved("h"), c.dy, c.gradient("w2"), { transA: true, add: !c.first }),
    gemm(c.x, c.saved("dh"), c.gradient("w1"), { transA: true, add: !c.first }),
  ],
  flops: ({ modelDim, hiddenDim }) => {
    const flops = 4 * modelDim * hiddenDim;
    return { forward: flops, inputGrad: flops, weightGrad: flops };
  },
});
const compiled = expert("compiled", (c) => [
  gemm(c.x, c.parameter("w1"), c.saved("a")),
  ...relu.eachExpert("forward", [c.saved("a"), c.saved("h")]),
  gemm(c.saved("h"), c.parameter("w2"), c.y),
]);

const config = { tokens: 24, modelDim: 8, hiddenDim: 12, experts: 4 };
const [x, dy] = [1, 2].map((seed) => randomNormal(2 * 24 * 8, { seed }));

// first, because what a layer has compiled is known to the whole process
Deno.test("sourceKernels() are called in stacks and models as in a layer", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const layer = { ...config, expert: compiled };
  using stack = createStack(engine, { layer, layers: 2 });
  const choices = { chunks: 2, bound: false };
  const given = new Map(
    Object.entries(stack.parameters).map(([name, shape], seed) => [
      name,
      randomNormal(shape.reduce((a, b) => a * b, 1), { seed: seed + 3 }),
    ]),
  );
  stack.set({ ...Object.fromEntries(given), x, dy });
  const whole = await stack.forward(choices);
  using single = createLayer(engine, layer);
  let output = x;
  for (const l of [0, 1]) {
    for (const name of Object.keys(single.parameters)) {
      single.set({ [name]: given.get(`L${l}.${name}`)! });
    }
    output = (await single.forward({ ...choices, x: output })).output!.slice();
  }
  assertEquals(whole.output!.slice(), output);
  const { gradients } = await stack.backward(choices);
  assert(gradients!["L0.experts.w1"].some((value) => value !== 0));

  const moe = { experts: 4, hiddenDim: 12, expert: compiled };
  const attention = { heads: 1, keyValueHeads: 1, headDim: 8 };
  const sizes = { vocabulary: 16, context: 8, batch: 2, modelDim: 8, attention, rate: 1e-2 };
  for (const routing of [{ capacityFactor: 0 }, { dropless: true }]) {
    using model = createModel(engine, { ...sizes, layers: [{ moe: { ...moe, routing } }] });
    const tokens = Int32Array.from({ length: 4 * 9 }, (_, i) => i * 7 % 16);
    const losses: number[] = [];
    for (let step = 0; step < 8; step++) losses.push((await model.step(tokens)).loss!);
    assert(losses.every(Number.isFinite) && losses[7] < losses[0], `${losses}`);
  }
});

Deno.test("sourceKernels() gives an expert its activation, padded and dropless", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  for (const routing of [{}, { dropless: true }]) {
    using mine = createLayer(engine, { ...config, routing, expert: compiled });
    using built = createLayer(engine, { ...config, routing });
    // those of the built-in expert with biases of zero
    for (const bias of ["experts.b1", "experts.b2"]) {
      built.set({ [bias]: new Float32Array((await built.read(bias)).length) });
    }
    for (const name of ["gate.weight", "experts.w1", "experts.w2"]) {
      built.set({ [name]: await mine.read(name) as Float32Array });
    }
    const [a, b] = [await mine.forward({ x, chunks: 2 }), await built.forward({ x, chunks: 2 })];
    assertEquals(a.output!.slice(), b.output!.slice());
    const [p, q] = [
      await mine.backward({ dy, chunks: 2 }),
      await built.backward({ dy, chunks: 2 }),
    ];
    for (const name of ["x", "experts.w1", "experts.w2"]) {
      assertEquals(p.gradients![name].slice(), q.gradients![name].slice(), name);
    }
  }
});

/** The expert with the largest logit, with weight 1; no gradient. */
const first = sourceKernels({
  name: "largest",
  functions: { route: { buffers: 3, numbers: 2 } },
  cpu:
    `void route(const float* logits, int32_t* choices, float* weights, int64_t tokens, int64_t experts) {
    for (int64_t t = 0; t < tokens; t++) {
      int32_t best = 0;
      for (int64_t e = 1; e < experts; e++) if (logits[t * experts + e] > logits[t * experts + best]) best = e;
      choices[t] = best;
      weights[t] = 1;
    }
  }`,
});

Deno.test("sourceKernels() gives a gate its choice", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const base = topK({ k: 1 });
  const gate: Gate = {
    ...base,
    name: "largest",
    fused: false,
    partial: true,
    forward: (c) => {
      const [logits] = base.forward(c);
      const span = (view: typeof c.logits, words: number) => ({ ...view, bytes: 4 * words });
      const buffers = [
        ...[span(c.logits, c.tokens * c.rows), span(c.choices, c.tokens)],
        span(c.weights, c.tokens),
      ];
      const chosen = first.call("route", { buffers, numbers: [c.tokens, c.rows] });
      return [logits, chosen, placeChoices({ ...c, k: 1 }, c, { ...c, scores: c.logits })];
    },
  };
  const routing = { capacityFactor: 0 };
  using mine = createLayer(engine, { ...config, gate, routing });
  using built = createLayer(engine, { ...config, gate: topK({ k: 1 }), routing });
  const [a, b] = [await mine.forward({ x }), await built.forward({ x })];
  // The built-in weight is the probability of the chosen one: a factor of a whole row.
  const [c, d] = [a.output!, b.output!];
  for (let i = 0; i < c.length; i++) {
    const begin = i - i % config.modelDim;
    assertAlmostEquals(c[i] * d[begin], d[i] * c[begin], 1e-5);
  }
  assert(c.every(Number.isFinite) && c.some((value) => value !== 0));
});

Deno.test("sourceKernels() refuses what a function does not take", async () => {
  assertThrows(
    () => relu.call("sideways", { buffers: [] }),
    SchemoeError,
    'Cannot use the source "my relu": "sideways" is not one of its functions (forward, backward)',
  );
  assertThrows(
    () => relu.call("forward", { buffers: [{ buffer: "x", offset: 0, bytes: 4 }] }),
    SchemoeError,
    '"forward" takes 2 buffers and at most 8 numbers, got 1 and 0',
  );
  const source = { name: "s", cpu: "", functions: { "no name": { buffers: 1, numbers: 0 } } };
  assertThrows(() => sourceKernels(source), SchemoeError, '"no name" is no name of a function');
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const wide = sourceKernels({
    ...{ name: "wide", functions: { forward: { buffers: 2, numbers: 0 } } },
    cpu: "void forward(const float* x, float* y, int64_t n) {}",
  });
  const other = expert("wide", (c) => wide.eachExpert("forward", [c.x, c.y]));
  using layer = createLayer(engine, { ...config, expert: other });
  const wrong = await assertRejects(() => layer.forward(), SchemoeError);
  assert(wrong.message.includes("a function takes more integers than are listed for it"));
});

Deno.test("checkNumbers looks at what a compiled source writes", async () => {
  const odd = sourceKernels({
    name: "odd",
    functions: { forward: { buffers: 2, numbers: 2 } },
    cpu: loop(
      "forward(const float* x, float* y, int64_t rows, int64_t columns)",
      "y[i] = i == 10 ? 0.0f / (x[i] - x[i]) : x[i];",
    ),
  });
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const last = expert("odd", (c) => odd.eachExpert("forward", [c.x, c.y]));
  using layer = createLayer(engine, { ...config, expert: last });
  const { output } = await layer.forward({ x });
  assert(output!.some(Number.isNaN));
  await assertRejects(
    () => layer.forward({ x, checkNumbers: true }),
    SchemoeError,
    "there is NaN at row 1, column 2 of group 0, in task E[0] on rank 0",
  );
});

Deno.test("sourceKernels() are given rows of bfloat16 only if they say that they take them", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const copies = (name: string, type: string, bfloat16?: boolean) =>
    sourceKernels({
      ...{ name, functions: { forward: { buffers: 2, numbers: 2 } } },
      ...(bfloat16 === undefined ? {} : { bfloat16 }),
      cpu: loop(
        `forward(const ${type}* x, ${type}* y, int64_t rows, int64_t columns)`,
        "y[i] = x[i];",
      ),
    });
  const layerOf = (source: ReturnType<typeof copies>) =>
    createLayer(engine, {
      ...config,
      dtype: "bfloat16",
      expert: expert("copy", (c) => source.eachExpert("forward", [c.x, c.y])),
    });
  using floats = layerOf(copies("floats", "float"));
  await assertRejects(
    () => floats.forward({ x }),
    SchemoeError,
    "are bfloat16; a source whose functions take them (uint16_t*) says bfloat16: true",
  );
  using halves = layerOf(copies("halves", "uint16_t", true));
  const { output } = await halves.forward({ x, results: true });
  assert(output!.every(Number.isFinite) && output!.some((y) => y !== 0));
});
