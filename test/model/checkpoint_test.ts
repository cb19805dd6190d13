import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import {
  adamw,
  createModel,
  type ModelConfig,
  type MoeModel,
  openEngine,
  openSafetensors,
  SchemoeError,
  sgd,
  topK,
  writeSafetensors,
} from "../../mod.ts";
import { encodeSafetensors, parseSafetensors, type Tensor } from "../../lib/files/mod.ts";

const sizes: ModelConfig = {
  vocabulary: 11,
  context: 8,
  batch: 4,
  modelDim: 12,
  rate: 0.01,
  attention: { heads: 3 },
  layers: [{
    moe: { experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), routing: { capacityFactor: 0 } },
  }],
};

const tokens = (step: number, ranks: number, batch: number) =>
  Int32Array.from({ length: ranks * batch * 9 }, (_, i) => (i * i + step * (i % 5)) % 11);

const cpu = (ranksPerNode: number) =>
  openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });

async function losses(model: MoeModel, steps: readonly number[], batch = 4) {
  const { ranks } = model.shape.topology;
  const list: number[] = [];
  for (const step of steps) list.push((await model.step(tokens(step, ranks, batch))).loss!);
  return list;
}

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(`${folder}/model.safetensors`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("load() goes on from save() with the same losses, bit for bit", async () => {
  for (const optimizer of [adamw(), sgd({ momentum: 0.9 })]) {
    await withFile(async (path) => {
      using engine = cpu(2);
      using model = createModel(engine, { ...sizes, optimizer });
      await losses(model, [0, 1, 2]);
      await model.save(path);
      const expected = await losses(model, [3, 4, 5]);
      using other = createModel(engine, { ...sizes, optimizer }, { seed: 99 });
      await other.load(path);
      assertEquals(other.steps, 3);
      assertEquals(await losses(other, [3, 4, 5]), expected);
    });
  }
});

Deno.test("load() spreads experts over another number of ranks", async () => {
  await withFile(async (path) => {
    using two = cpu(2), four = cpu(4);
    using model = createModel(two, { ...sizes, batch: 4 });
    await losses(model, [0, 1]);
    await model.save(path);
    const [expected] = await losses(model, [2]);
    using wider = createModel(four, { ...sizes, batch: 2 });
    await wider.load(path);
    const [got] = await losses(wider, [2], 2);
    assertLess(Math.abs(got - expected) / expected, 1e-6);
  });
});

Deno.test("evaluate() is the cross entropy of the step after it, and changes nothing", async () => {
  using engine = cpu(2);
  using model = createModel(engine, sizes), other = createModel(engine, sizes);
  const found = await model.evaluate(tokens(0, 2, 4), { scheduler: "optSche", chunks: 2 });
  const step = await model.step(tokens(0, 2, 4), { chunks: 2 });
  const mean = step.crossEntropy!.reduce((a, b) => a + b, 0) / 2;
  assertEquals(found, mean);
  assertEquals(step.loss, (await other.step(tokens(0, 2, 4), { chunks: 2 })).loss);
  assertEquals(model.steps, 1);
});

Deno.test("load() refuses what is no checkpoint of the model, and changes nothing", async () => {
  await withFile(async (path) => {
    using engine = cpu(2);
    using model = createModel(engine, sizes);
    const before = await model.read("head");
    const refused = (text: string) => assertRejects(() => model.load(path), SchemoeError, text);
    await writeSafetensors({ w: { dtype: "F32", shape: [1], data: new Float32Array(1) } }, path);
    await refused("it is no checkpoint of a model");
    using slow = createModel(engine, { ...sizes, optimizer: sgd() });
    await slow.save(path);
    await refused("it was made with the optimizer sgd, the model has adamw");
    using larger = createModel(engine, { ...sizes, vocabulary: 12 });
    await larger.save(path);
    await refused('its tensor "embedding" is [12, 12], "embedding" is [11, 12]');
    using deeper = createModel(engine, { ...sizes, layers: [...sizes.layers, ...sizes.layers] });
    await deeper.save(path);
    await refused('its tensor "blocks.1.');
    assertEquals(await model.read("head"), before);
    using file = await openSafetensors(path);
    assert(file.tensors.has("optimizer.blocks.1.moe.experts.w1.second"));
  });
});

Deno.test("load() refuses tensors of other types and steps that are no numbers", async () => {
  const path = await Deno.makeTempFile();
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using model = createModel(engine, sizes);
  await model.save(path);
  const { tensors, metadata } = parseSafetensors(Deno.readFileSync(path), path);
  const saved = tensors.get("norm")!;
  const refuses = async (message: string) =>
    await assertRejects(() => model.load(path), SchemoeError, `Cannot load ${path}: ${message}`);
  const norm: Tensor = { dtype: "F64", shape: saved.shape, data: new Float64Array(12) };
  Deno.writeFileSync(path, encodeSafetensors(new Map([...tensors, ["norm", norm]]), metadata));
  await refuses('its tensor "norm" is F64, the model\'s is F32');
  Deno.writeFileSync(path, encodeSafetensors(tensors, { ...metadata, step: "9".repeat(20) }));
  await refuses(`its step is "${"9".repeat(20)}", not a number`);
  await Deno.remove(path);
});

Deno.test("load() refuses a checkpoint with a byte that changed, naming the tensor, and changes nothing", async () => {
  await withFile(async (path) => {
    using engine = cpu(2);
    using model = createModel(engine, sizes), other = createModel(engine, sizes, { seed: 3 });
    await losses(model, [0, 1]);
    await model.save(path);
    const bytes = Deno.readFileSync(path);
    const before = await other.read("head");
    const damaged = bytes.slice();
    damaged[damaged.length - 5] ^= 4;
    Deno.writeFileSync(path, damaged);
    const last = [...parseSafetensors(damaged, path).tensors.keys()].at(-1);
    await assertRejects(
      () => other.load(path),
      SchemoeError,
      `Cannot read ${path}: the check sum of tensor "${last}" is not that of its values`,
    );
    assertEquals(other.steps, 0);
    assertEquals(await other.read("head"), before);
    Deno.writeFileSync(path, bytes);
    await other.load(path);
    assertEquals(await losses(other, [2]), await losses(model, [2]));
  });
});

Deno.test("load() takes checkpoints without check sums, as they were written before", async () => {
  await withFile(async (path) => {
    using engine = cpu(1);
    using model = createModel(engine, sizes), other = createModel(engine, sizes, { seed: 3 });
    await losses(model, [0, 1]);
    await model.save(path);
    const { tensors, metadata: { crc32: _, ...metadata } } = parseSafetensors(
      Deno.readFileSync(path),
      path,
    );
    Deno.writeFileSync(path, encodeSafetensors(tensors, metadata));
    await other.load(path);
    assertEquals(await losses(other, [2]), await losses(model, [2]));
  });
});
