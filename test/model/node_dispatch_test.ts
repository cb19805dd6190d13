import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import {
  createModel,
  type ModelConfig,
  openEngine,
  openSafetensors,
  SchemoeError,
} from "../../mod.ts";
import { gshard, swiglu, topK } from "../../lib/blocks/mod.ts";
import type { PassChoices } from "../../lib/layer/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import {
  type GoldenTraining,
  parseGoldenTraining,
  runGoldenTraining,
} from "../../lib/studies/golden_training.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const FOLDER = new URL("../golden/training/", import.meta.url);
const cases = [...Deno.readDirSync(FOLDER)].filter(({ name }) => name.endsWith(".safetensors"))
  .map(({ name }) => parseGoldenTraining(Deno.readFileSync(new URL(name, FOLDER)), name));
/** It prefers groups of peers, which are refused. */
const schedulers = byCapacity;

const open = ({ ranks }: { readonly ranks: number }, nodes: number) =>
  openEngine({ kind: "cpu", nodes, ranksPerNode: ranks / nodes, links: "plain" });

const text = (run: Awaited<ReturnType<typeof runGoldenTraining>>): string =>
  JSON.stringify([
    run.steps.map(({ loss, gradNorm }) => [loss, gradNorm]),
    ...Object.values(run.gradients).map((list) => [...list]),
    ...Object.values(run.final).map((list) => [...list]),
  ]);

const dropless = (golden: GoldenTraining): GoldenTraining => ({
  ...golden,
  model: {
    ...golden.model,
    layers: golden.model.layers.map((block) =>
      "moe" in block ? { moe: { ...block.moe, routing: { dropless: true } } } : block
    ),
  },
});

for (const padded of cases) {
  const nodes = padded.ranks % 2 === 0 ? 2 : 1;
  for (const golden of [padded, dropless(padded)]) {
    const rows = golden === padded ? "with" : "without";
    Deno.test(`runGoldenTraining() of ${golden.name} ${rows} padding and tokens that cross once: losses, norms, gradients and parameters are the reference's`, async () => {
      using engine = open(golden, nodes);
      const choices = { scheduler: "optSche", chunks: 2, dispatch: "node" } as const;
      const run = await runGoldenTraining(engine, golden, choices);
      for (const { step, loss, gradNorm } of run.steps) {
        assertLess(Math.abs(loss! / golden.loss[step] - 1), 2e-6, `loss of step ${step}`);
        assertLess(Math.abs(gradNorm! / golden.gradNorm[step] - 1), 5e-6, `norm of step ${step}`);
      }
      for (const [name, expected] of Object.entries(golden.gradients)) {
        assertLess(largestError(run.gradients[name], expected), 1e-5, `gradient of ${name}`);
      }
      const tolerance = golden.model.optimizer!.name === "sgd" ? 1e-5 : 5e-4;
      for (const [name, expected] of Object.entries(golden.final)) {
        assertLess(largestError(run.final[name], expected), tolerance, `${name} at the end`);
      }
      const layers = golden.model.layers.filter((block) => "moe" in block).length;
      const [{ ran, configuration }] = run.steps;
      assertEquals(ran.length, layers + 1);
      assertEquals(configuration.allToAll, "once a node");
      const names = ran.flatMap(({ program }) => program.order.map(({ name }) => name));
      assert(names.some((name) => name.endsWith("A2[0] sum")), "no sums in the node");
    });
  }

  Deno.test(`runGoldenTraining() of ${padded.name} with tokens that cross once: schedulers change no bit`, async () => {
    using engine = open(padded, nodes);
    for (const chunks of [1, 3]) {
      let first: string | undefined;
      for (const scheduler of schedulers) {
        const choices = { scheduler, chunks, steps: 2, dispatch: "node" } as const;
        const got = text(await runGoldenTraining(engine, padded, choices));
        assert(got === (first ??= got), `${scheduler}, ${chunks} chunks`);
      }
    }
  });
}

Deno.test("reference runs with tokens that cross once on two processes equal one process bit for bit", async () => {
  await using workers = await spawnWorkers(1);
  for (const golden of cases.filter(({ ranks }) => ranks % 2 === 0)) {
    const shape = { nodes: 2, ranksPerNode: golden.ranks / 2, links: "plain" } as const;
    using alone = openEngine({ kind: "cpu", ...shape });
    using engine = await workers.openEngine(shape);
    const choices = { scheduler: "optSche", chunks: 2, steps: 3, dispatch: "node" } as const;
    const expected = text(await runGoldenTraining(alone, golden, choices));
    assert(text(await runGoldenTraining(engine, golden, choices)) === expected, golden.name);
  }
});

const moe = { experts: 8, hiddenDim: 10, gate: topK({ k: 3 }), losses: [gshard({ weight: 0.1 })] };
const sizes: ModelConfig = {
  vocabulary: 11,
  context: 8,
  batch: 4,
  modelDim: 12,
  rate: 0.01,
  attention: { heads: 2 },
  layers: [
    { moe: { ...moe, routing: { dropless: true } } },
    { ffn: { hiddenDim: 16, expert: swiglu() } },
    { moe: { ...moe, routing: { capacityFactor: 1 } } },
    { moe: { ...moe, routing: { capacityFactor: 0 }, shared: { hiddenDim: 8 } } },
  ],
};

const tokens = (step: number, ranks = 4) =>
  Int32Array.from({ length: ranks * 4 * 9 }, (_, i) => (i * i + step * (i % 5)) % 11);

/** Losses, norms, loads and parameters after some steps, and a loss of other tokens before and between them. */
async function trained(config: ModelConfig, choices: PassChoices) {
  using engine = open({ ranks: 4 }, 2);
  using model = createModel(engine, config);
  const values: number[] = [await model.evaluate(tokens(8), choices)];
  const loads: number[][][] = [];
  for (let step = 0; step < 3; step++) {
    const { loss, gradNorm, layerLoads } = await model.step(tokens(step), choices);
    values.push(loss!, gradNorm!, await model.evaluate(tokens(9), choices));
    loads.push(layerLoads!.map((list) => [...list]));
  }
  const final: Record<string, Float32Array> = {};
  for (const name of Object.keys(model.parameters)) final[name] = await model.read(name);
  return { values, loads, final };
}

for (const microbatches of [1, 2]) {
  Deno.test(`layers with and without padding train as ever where tokens cross once, ${microbatches} microbatches`, async () => {
    const config = { ...sizes, microbatches };
    for (const choices of [{ chunks: 1 }, { scheduler: "optSche", chunks: 2 }]) {
      const each = await trained(config, choices);
      const once = await trained(config, { ...choices, dispatch: "node" });
      assertEquals(once.loads, each.loads);
      for (const [i, value] of once.values.entries()) {
        assertLess(Math.abs(value / each.values[i] - 1), 1e-5, `value ${i}`);
      }
      for (const [name, values] of Object.entries(once.final)) {
        assertLess(largestError(values, each.final[name]), 2e-3, name);
      }
    }
  });
}

Deno.test("codecs on what crosses once: schedulers change no bit of a model's training", async () => {
  let first: string | undefined;
  for (const scheduler of schedulers) {
    const { values, final } = await trained({ ...sizes, microbatches: 2 }, {
      ...{ scheduler, chunks: 2, compressor: "fp8", dispatch: "node" },
    });
    const got = JSON.stringify([values, ...Object.values(final).map((list) => [...list])]);
    assert(got === (first ??= got), scheduler);
  }
});

Deno.test("checkpoints have the tensors of a model whose tokens cross once or not, and steps go on from them", async () => {
  using engine = open({ ranks: 4 }, 2);
  const choices = { dispatch: "node", chunks: 2 } as const;
  const paths: string[] = [];
  const names: string[][] = [];
  for (const how of [choices, { chunks: 2 }]) {
    using model = createModel(engine, sizes);
    await model.step(tokens(0), how);
    const path = await Deno.makeTempFile({ suffix: ".safetensors" });
    await model.save(path);
    paths.push(path);
    using file = await openSafetensors(path);
    names.push([...file.tensors.keys()]);
    if (how !== choices) continue;
    const next = await model.step(tokens(1), choices);
    using again = createModel(engine, sizes, { seed: 5 });
    const same = await (await again.load(path)).step(tokens(1), choices);
    assertEquals([same.loss, same.gradNorm], [next.loss, next.gradNorm]);
  }
  assertEquals(names[0], names[1]);
  for (const path of paths) await Deno.remove(path);
});

Deno.test("the simulator runs a step whose tokens cross once, above its bound", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
  using model = createModel(engine, { ...sizes, modelDim: 64 });
  const time = (choices: PassChoices) =>
    model.step(undefined, { scheduler: "optSche", ...choices });
  const [each, once] = [await time({}), await time({ dispatch: "node" })];
  assertEquals(once.ran.length, 4);
  assert(once.makespan >= once.bound! && once.bound! > 0);
  const between = (run: typeof once) =>
    run.ran.flatMap(({ program }) => program.order)
      .filter(({ lane, label, layer }) => layer === 0 && lane === "inter" && /^A/.test(label))
      .reduce((sum, { bytes }) => sum + bytes, 0);
  assertLess(between(once), between(each));
});

Deno.test("a step refuses what has no meaning beside tokens that cross once, before anything runs", async () => {
  using engine = open({ ranks: 4 }, 2);
  using model = createModel(engine, sizes);
  using other = createModel(engine, {
    ...sizes,
    layers: [{ moe: { ...moe, gate: topK({ k: 1, weighs: "input" }) } }],
  });
  const refusals: [PassChoices, RegExp, typeof model?][] = [
    [{ dispatch: "nodes" as "node" }, /Unknown dispatch "nodes".*did you mean "node"/],
    [{ dispatch: "node", allToAll: "pipe" }, /all-to-all of its own; leave allToAll out/],
    [{ dispatch: "node", scheduler: "auto" }, /"auto" chooses all-to-alls/],
    [{ dispatch: "node", scheduler: "fasterMoE", chunks: 2 }, /groups of peers/],
    [{ dispatch: "node" }, /weighs the inputs/, other],
  ];
  for (const [choices, expected, on = model] of refusals) {
    for (const run of [() => on.step(tokens(0), choices), () => on.evaluate(tokens(0), choices)]) {
      assertMatch((await assertRejects(run, SchemoeError)).message, expected);
    }
    assertEquals(on.steps, 0);
  }
  using one = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2, representatives: true });
  using simulated = createModel(one, { ...sizes, layers: [{ moe }] });
  await assertRejects(
    () => simulated.step(undefined, { dispatch: "node" }),
    SchemoeError,
    "one node stands for all",
  );
});
