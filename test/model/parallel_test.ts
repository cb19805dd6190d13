import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { createModel, type ModelConfig, openEngine, SchemoeError } from "../../mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import {
  type GoldenTraining,
  parseGoldenTraining,
  runGoldenTraining,
} from "../../lib/studies/golden_training.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";

const golden = (name: string): GoldenTraining => {
  const url = new URL(`../golden/training/${name}.safetensors`, import.meta.url);
  return parseGoldenTraining(Deno.readFileSync(url), name);
};

const cpu = (nodes: number, ranksPerNode: number) =>
  openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });

const text = (run: Awaited<ReturnType<typeof runGoldenTraining>>): string =>
  JSON.stringify([
    run.steps.map(({ loss, gradNorm }) => [loss, gradNorm]),
    ...Object.values(run.gradients).map((list) => [...list]),
    ...Object.values(run.final).map((list) => [...list]),
  ]);

Deno.test("a reference run with copies of experts has its losses, norms and gradients", async () => {
  const whole = golden("rope-swiglu-gqa");
  using engine = cpu(2, 2);
  for (
    const parallel of [
      { expert: 2 },
      { expert: 2, data: 2, layout: "across" as const },
      { expert: 1, data: 4 },
    ]
  ) {
    const copied = { ...whole, model: { ...whole.model, parallel } };
    const run = await runGoldenTraining(engine, copied, { scheduler: "optSche", chunks: 2 });
    for (const { step, loss, gradNorm } of run.steps) {
      const what = `step ${step} of ${JSON.stringify(parallel)}`;
      assertLess(Math.abs(loss! / whole.loss[step] - 1), 2e-6, what);
      assertLess(Math.abs(gradNorm! / whole.gradNorm[step] - 1), 5e-6, what);
    }
    for (const [name, expected] of Object.entries(whole.gradients)) {
      assertLess(largestError(run.gradients[name], expected), 1e-5, name);
    }
    for (const [name, expected] of Object.entries(whole.final)) {
      assertLess(largestError(run.final[name], expected), 5e-4, name);
    }
  }
});

Deno.test("copies of experts stay the same, with microbatches too, and go on from a checkpoint without copies", async () => {
  const config: ModelConfig = {
    vocabulary: 11,
    context: 8,
    batch: 2,
    modelDim: 12,
    rate: 0.01,
    microbatches: 2,
    attention: { heads: 2 },
    parallel: { expert: 2 },
    layers: [{ moe: { experts: 4, hiddenDim: 10, routing: { capacityFactor: 0 } } }],
  };
  const tokens = (step: number) =>
    Int32Array.from({ length: 4 * 2 * 9 }, (_, i) => (i * i + step * (i % 5)) % 11);
  using engine = cpu(2, 2);
  using copied = createModel(engine, config);
  using spread = createModel(engine, { ...config, parallel: {} });
  await Promise.all([copied.ready(), spread.ready()]);
  for (let step = 0; step < 3; step++) {
    const [a, b] = [await copied.step(tokens(step)), await spread.step(tokens(step))];
    assertLess(Math.abs(a.loss! / b.loss! - 1), 1e-5);
    assertLess(Math.abs(a.gradNorm! / b.gradNorm! - 1), 1e-5);
  }
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  await copied.save(path);
  const expected = (await copied.step(tokens(3))).loss!;
  using again = createModel(engine, config, { seed: 5 });
  using other = createModel(engine, { ...config, parallel: {} }, { seed: 6 });
  await Promise.all([again.ready(), other.ready()]);
  assertEquals((await (await again.load(path)).step(tokens(3))).loss, expected);
  assertLess(Math.abs((await (await other.load(path)).step(tokens(3))).loss! / expected - 1), 1e-6);
  await Deno.remove(path);
});

Deno.test("reference runs on two processes equal one process bit for bit", async () => {
  await using workers = await spawnWorkers(1);
  for (const name of ["tiny", "rope-swiglu-gqa"]) {
    const whole = golden(name);
    const shape = { nodes: 2, ranksPerNode: whole.ranks / 2, links: "plain" } as const;
    using alone = openEngine({ kind: "cpu", ...shape });
    using engine = await workers.openEngine(shape);
    for (
      const parallel of name === "tiny" ? [{}] : [{}, { expert: 2, layout: "across" as const }]
    ) {
      const given = { ...whole, model: { ...whole.model, parallel } };
      const choices = { scheduler: "optSche", allToAll: "pipe", chunks: 2, steps: 4 };
      const expected = text(await runGoldenTraining(alone, given, choices));
      assert(text(await runGoldenTraining(engine, given, choices)) === expected, name);
    }
  }
});

Deno.test("createModel() names what is wrong with the groups of ranks", () => {
  using engine = cpu(1, 2);
  assertThrows(
    () =>
      createModel(engine, {
        vocabulary: 11,
        context: 8,
        batch: 2,
        modelDim: 12,
        parallel: { expert: 3 },
        attention: { heads: 2 },
        layers: [{ moe: { experts: 6, hiddenDim: 10 } }],
      }),
    SchemoeError,
    "expert times data must be the 2 ranks",
  );
});
