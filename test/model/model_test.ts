import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import {
  createModel,
  type ModelConfig,
  openEngine,
  SchemoeError,
  sgd,
  swiglu,
  topK,
} from "../../mod.ts";
import { layerNorm, rotaryPositions } from "../../lib/blocks/mod.ts";

const sizes: ModelConfig = {
  vocabulary: 11,
  context: 8,
  batch: 2,
  modelDim: 12,
  rate: 0.01,
  attention: { heads: 4, keyValueHeads: 2, headDim: 4 },
  layers: [
    { moe: { experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), routing: { capacityFactor: 2 } } },
    { ffn: { hiddenDim: 16, expert: swiglu() } },
  ],
};

/** Sequences that count up, which are easily learnt. */
function counting(ranks: number, step: number): Int32Array {
  const { batch, context, vocabulary } = sizes;
  return Int32Array.from({ length: ranks * batch * (context + 1) }, (_, i) => {
    const sequence = Math.floor(i / (context + 1));
    return (step + 3 * sequence + i % (context + 1)) % vocabulary;
  });
}

Deno.test("createModel() learns to count, on one rank and on two, tied or not", async () => {
  for (const [ranksPerNode, tied] of [[1, false], [2, true]] as const) {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });
    const positions = tied ? rotaryPositions() : undefined;
    using model = createModel(engine, { ...sizes, tied, positions, norm: layerNorm() });
    const losses: number[] = [];
    for (let step = 0; step < 60; step++) {
      losses.push((await model.step(counting(ranksPerNode, step), { chunks: 2 })).loss!);
    }
    // logits of a fresh head have a deviation of 1, which costs about a half
    assert(Math.abs(losses[0] - Math.log(sizes.vocabulary)) < 1.5, `${losses[0]}`);
    assertLess(losses.at(-1)!, losses[0] / 4);
    assertEquals(model.steps, 60);
  }
});

Deno.test("createModel() begins with the same parameters on any number of ranks", async () => {
  const found: Float32Array[] = [];
  for (const ranksPerNode of [1, 2, 4]) {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });
    using model = createModel(engine, sizes, { seed: 3 });
    found.push(await model.read("blocks.0.moe.experts.w1"));
    assertEquals(await model.read("norm"), new Float32Array(sizes.modelDim).fill(1));
    assertEquals(new Set(await model.read("blocks.0.moe.experts.b1")), new Set([0]));
  }
  assertEquals(found[0].length, 4 * 12 * 10);
  assert(found.every((values) => values.every((value, i) => value === found[0][i])));
});

Deno.test("step() makes reductions of gradients in pieces, without changing a bit of the loss", async () => {
  const losses: (number | undefined)[] = [];
  for (const gradientChunks of [1, 3]) {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
    using model = createModel(engine, { ...sizes, gradientChunks, optimizer: sgd() });
    for (let step = 0; step < 3; step++) {
      const done = await model.step(counting(2, step), { scheduler: "optSche" });
      if (step === 2) losses.push(done.loss);
    }
  }
  assertEquals(losses[0], losses[1]);
});

Deno.test("step() on the simulator takes no tokens, and codecs change its time", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  using model = createModel(engine, { ...sizes, modelDim: 256, batch: 64, context: 64 });
  const plain = await model.step(undefined, { scheduler: "optSche", chunks: 2 });
  const coded = await model.step(undefined, {
    scheduler: "optSche",
    chunks: 2,
    compressor: "int8",
  });
  assert(plain.makespan >= plain.bound! && coded.makespan !== plain.makespan);
  assertEquals(plain.loss, undefined);
  const labels = new Set(plain.ran[0].program.order.map(({ label }) => label));
  for (const label of ["embedding", "attention", "E", "head", "Ew", "AR1", "clip"]) {
    assert(labels.has(label), label);
  }
});

Deno.test("createModel() and step() name what is wrong before anything runs", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const refused = (change: object, text: string) =>
    assertThrows(() => createModel(engine, { ...sizes, ...change }), SchemoeError, text);
  refused({ depth: 3 }, '"depth" is not a field of a model');
  refused({ context: 0 }, "context must be a positive integer, got 0");
  refused({ attention: { heads: 5 } }, "5 heads do not divide modelDim 12");
  refused({ attention: { heads: 4, keyValueHeads: 3 } }, "keyValueHeads 3 does not divide the 4");
  refused({ layers: [] }, "layers must be a list");
  refused({ clip: -1 }, "clip must be a number of at least 0");
  refused({ layers: [{ moe: { experts: 3, hiddenDim: 4 } }] }, "experts");
  using model = createModel(engine, sizes);
  await assertRejects(() => model.step(), SchemoeError, "tokens must be an Int32Array");
  const wrong = counting(2, 0).with(4, 11);
  await assertRejects(
    () => model.step(wrong),
    SchemoeError,
    "token 4 is 11, the vocabulary has 11",
  );
  await assertRejects(() => model.gradient("norm"), SchemoeError, "no step has computed it");
  assertThrows(() => model.set({ x: new Float32Array(1) }), SchemoeError, 'Cannot set "x"');
});
