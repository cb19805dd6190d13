import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import {
  createModel,
  ffn,
  type ModelConfig,
  openEngine,
  openSafetensors,
  SchemoeError,
  topK,
} from "../../mod.ts";
import { layerNorm } from "../../lib/blocks/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { parseGoldenTraining, runGoldenTraining } from "../../lib/studies/golden_training.ts";
import { trainingBound } from "../../lib/tasks/verify/training_case.ts";

const folder = new URL("../golden/training/", import.meta.url);
const cases = [...Deno.readDirSync(folder)].map(({ name }) => name)
  .filter((name) => name.endsWith(".safetensors")).toSorted()
  .map((name) => parseGoldenTraining(Deno.readFileSync(new URL(name, folder)), name));

const cpu = (nodes: number, ranks: number) =>
  openEngine({ kind: "cpu", nodes, ranksPerNode: ranks / nodes, links: "plain" });
const relative = (a: number, b: number) => Math.abs(a / b - 1);

const boundOf = (tensor: string) =>
  trainingBound(tensor, { engine: "cpu", optimizer: "adamw", dtype: "bfloat16" });

for (const golden of cases) {
  Deno.test(`runGoldenTraining() of ${golden.name} in bfloat16: losses within 1 % of the reference, norms within 5 %`, async () => {
    using engine = cpu(1, golden.ranks);
    const run = await runGoldenTraining(engine, golden, { dtype: "bfloat16", chunks: 2 });
    for (const { step, loss, gradNorm } of run.steps) {
      assertLess(relative(loss!, golden.loss[step]), 1e-2, `loss of step ${step}: ${loss}`);
      assertLess(relative(gradNorm!, golden.gradNorm[step]), 5e-2, `norm of step ${step}`);
    }
    for (const [name, expected] of Object.entries(golden.gradients)) {
      const bound = boundOf(`grad.${name}`);
      assertLess(largestError(run.gradients[name], expected), bound, `gradient of ${name}`);
    }
    for (const [name, expected] of Object.entries(golden.final)) {
      assertLess(largestError(run.final[name], expected), boundOf(`final.${name}`), name);
    }
  });

  Deno.test(`runGoldenTraining() of ${golden.name} in bfloat16: schedulers and processes' nodes change no bit`, async () => {
    const bits = new Set<string>();
    for (const nodes of [1, 2].filter((n) => golden.ranks % n === 0)) {
      using engine = cpu(nodes, golden.ranks);
      for (const scheduler of ["sequential", "optSche", "weightGradLast"]) {
        const allToAll = scheduler === "optSche" ? "pipe" : "linear";
        const run = await runGoldenTraining(engine, golden, {
          dtype: "bfloat16",
          steps: 2,
          scheduler,
          allToAll,
          chunks: 2,
        });
        bits.add(JSON.stringify([run.steps.map(({ loss }) => loss), run.final]));
      }
    }
    assertEquals(bits.size, 1);
  });
}

const sizes: ModelConfig = {
  vocabulary: 11,
  context: 8,
  batch: 4,
  modelDim: 12,
  rate: 0.01,
  dtype: "bfloat16",
  attention: { heads: 3 },
  norm: layerNorm(),
  layers: [
    { ffn: { hiddenDim: 9, expert: ffn({ activation: "gelu" }) } },
    { moe: { experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), routing: { capacityFactor: 0 } } },
  ],
};
const tokens = (step: number) =>
  Int32Array.from({ length: 2 * 4 * 9 }, (_, i) => (i * i + step * (i % 5)) % 11);
const rounded = (values: Float32Array) => {
  const bits = new Uint32Array(values.buffer.slice(0));
  for (let i = 0; i < bits.length; i++) {
    bits[i] = ((bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) & 0xffff0000) >>> 0;
  }
  return new Float32Array(bits.buffer);
};

Deno.test("createModel() in bfloat16 begins with the roundings of the float32 model", async () => {
  using engine = cpu(1, 2);
  using exact = createModel(engine, { ...sizes, dtype: "float32" });
  using model = createModel(engine, sizes);
  for (const name of Object.keys(model.parameters)) {
    const isExact = /norm|gate/.test(name);
    const values = await exact.read(name);
    assertEquals(await model.read(name), isExact ? values : rounded(values), name);
  }
});

Deno.test("a checkpoint of a bfloat16 model holds parameters as roundings of masters, and goes on bit for bit", async () => {
  const path = `${await Deno.makeTempDir()}/model.safetensors`;
  using engine = cpu(1, 2);
  using model = createModel(engine, sizes);
  for (const step of [0, 1]) await model.step(tokens(step));
  await model.save(path);
  const expected = [];
  for (const step of [2, 3]) expected.push((await model.step(tokens(step))).loss);
  using other = createModel(engine, sizes, { seed: 5 });
  await other.load(path);
  const got = [];
  for (const step of [2, 3]) got.push((await other.step(tokens(step))).loss);
  assertEquals(got, expected);
  using file = await openSafetensors(path);
  let masters = 0;
  for (const [name, { dtype }] of file.tensors) {
    const master = `optimizer.${name}.master`;
    if (!file.tensors.has(master)) continue;
    masters++;
    assertEquals(dtype, "BF16");
    const values = Float32Array.from(await file.read(master) as Float32Array);
    assertEquals(Float32Array.from(await file.read(name) as Float32Array), rounded(values));
  }
  assertEquals(masters, 19);
  await Deno.remove(new URL(`file://${path.slice(0, path.lastIndexOf("/"))}`), { recursive: true });
});

Deno.test("set() of a bfloat16 model sets the master, from which the next update goes on", async () => {
  using engine = cpu(1, 2);
  using model = createModel(engine, { ...sizes, rate: 0 });
  const values = Float32Array.from({ length: 11 * 12 }, (_, i) => Math.sin(i));
  model.set({ embedding: values });
  assertEquals(await model.read("embedding"), rounded(values));
  await model.step(tokens(0));
  assertEquals(await model.read("embedding"), rounded(values));
});

Deno.test("createModel() names a type that there is not", () => {
  using engine = cpu(1, 2);
  const wrong = { ...sizes, dtype: "float16" } as unknown as ModelConfig;
  const error = assertThrows(() => createModel(engine, wrong), SchemoeError);
  assert(error.message.includes('dtype must be float32 or bfloat16, got "float16"'));
});
