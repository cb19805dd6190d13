import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { BUILT_IN, createModel, type ModelConfig, openEngine, SchemoeError } from "../../mod.ts";
import {
  ffn,
  gshard,
  noisyTopK,
  reluRouting,
  signUpdate,
  swiglu,
  topK,
} from "../../lib/blocks/mod.ts";
import type { MoeConfig } from "../../lib/model/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import {
  type GoldenTraining,
  parseGoldenTraining,
  runGoldenTraining,
} from "../../lib/studies/golden_training.ts";
import type { PassChoices } from "../../lib/layer/mod.ts";
import { trainingWithoutPadding } from "../../lib/tasks/bench/without_padding.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const NAMES = ["tiny", "rope-swiglu-gqa", "sgd"];

/** A reference run whose layers of experts compute no padding. */
function golden(name: string): GoldenTraining {
  const url = new URL(`../golden/training/${name}.safetensors`, import.meta.url);
  return trainingWithoutPadding(parseGoldenTraining(Deno.readFileSync(url), name));
}

const cpu = (ranks: number, nodes = 1) =>
  openEngine({ kind: "cpu", nodes, ranksPerNode: ranks / nodes, links: "plain" });

const text = (run: Awaited<ReturnType<typeof runGoldenTraining>>): string =>
  JSON.stringify([
    run.steps.map(({ loss, gradNorm }) => [loss, gradNorm]),
    ...Object.values(run.gradients).map((list) => [...list]),
    ...Object.values(run.final).map((list) => [...list]),
  ]);

for (const name of NAMES) {
  Deno.test(`runGoldenTraining() of ${name} without padding: losses, norms, gradients and parameters are the reference's`, async () => {
    const reference = golden(name);
    using engine = cpu(reference.ranks);
    const run = await runGoldenTraining(engine, reference, { scheduler: "optSche", chunks: 2 });
    for (const { step, loss, gradNorm } of run.steps) {
      assertLess(Math.abs(loss! / reference.loss[step] - 1), 2e-6, `loss of step ${step}`);
      assertLess(Math.abs(gradNorm! / reference.gradNorm[step] - 1), 5e-6, `norm of step ${step}`);
    }
    for (const [of, expected] of Object.entries(reference.gradients)) {
      assertLess(largestError(run.gradients[of], expected), 1e-5, `gradient of ${of}`);
    }
    const tolerance = reference.model.optimizer!.name === "sgd" ? 1e-5 : 5e-4;
    for (const [of, expected] of Object.entries(reference.final)) {
      assertLess(largestError(run.final[of], expected), tolerance, `${of} at the end`);
    }
    // a Program ends with each gate; the last one holds the whole backward pass and the updates
    const layers = reference.model.layers.filter((block) => "moe" in block).length;
    assertEquals(run.steps[0].ran.length, layers + 1);
    const kinds = run.steps[0].ran.map(({ program }) => program.order.map(({ pass }) => pass));
    assert(kinds.slice(0, -1).flat().every((pass) => pass === "forward"));
    assert(kinds.at(-1)!.includes("backward") && kinds.at(-1)!.includes("step"));
  });

  Deno.test(`runGoldenTraining() of ${name} without padding: schedulers and all-to-alls change no bit`, async () => {
    const reference = golden(name);
    for (const nodes of [1, 2].filter((n) => reference.ranks % n === 0)) {
      using engine = cpu(reference.ranks, nodes);
      for (const chunks of [1, 3]) {
        const first = new Map<boolean, string>();
        for (const scheduler of BUILT_IN.scheduler) {
          const allToAlls = scheduler === "optSche" ? BUILT_IN.allToAll : ["linear"];
          for (const allToAll of allToAlls) {
            const choices = { scheduler, allToAll, chunks, steps: 2 };
            const got = text(await runGoldenTraining(engine, reference, choices));
            // groups of peers add up in another order
            const peers = scheduler === "fasterMoE";
            if (!first.has(peers)) first.set(peers, got);
            assert(got === first.get(peers), `${scheduler}, ${allToAll}, ${chunks} chunks`);
          }
        }
      }
    }
  });
}

Deno.test("reference runs without padding on two processes equal one process bit for bit", async () => {
  await using workers = await spawnWorkers(1);
  for (const name of ["tiny", "rope-swiglu-gqa"]) {
    const reference = golden(name);
    const shape = { nodes: 2, ranksPerNode: reference.ranks / 2, links: "plain" } as const;
    using alone = openEngine({ kind: "cpu", ...shape });
    using engine = await workers.openEngine(shape);
    const choices = { scheduler: "optSche", allToAll: "pipe", chunks: 2, steps: 3 };
    const expected = text(await runGoldenTraining(alone, reference, choices));
    assert(text(await runGoldenTraining(engine, reference, choices)) === expected, name);
  }
});

const routings = { padded: { capacityFactor: 0 }, dropless: { dropless: true } };

const sizes = (routing: "padded" | "dropless"): ModelConfig => {
  const moe = {
    experts: 4,
    hiddenDim: 10,
    gate: topK({ k: 2 }),
    routing: routings[routing],
    losses: [gshard({ weight: 0.1 })],
  };
  const other = { ...moe, routing: { capacityFactor: 1 }, gate: topK({ k: 1 }) };
  return {
    vocabulary: 11,
    context: 8,
    batch: 4,
    modelDim: 12,
    rate: 0.01,
    attention: { heads: 2 },
    layers: [{ moe }, { ffn: { hiddenDim: 16, expert: swiglu() } }, { moe: other }, { moe }],
  };
};

const tokens = (ranks: number, step: number) =>
  Int32Array.from({ length: ranks * 4 * 9 }, (_, i) => (i * i + step * (i % 5)) % 11);

/** Losses, norms and parameters after some steps, and a loss of other tokens. */
async function trained(
  config: ModelConfig,
  { ranks = 2, ...choices }: PassChoices & { readonly ranks?: number } = {},
) {
  using engine = cpu(ranks);
  using model = createModel(engine, config);
  const values: [number, number][] = [];
  const loads: number[][][] = [];
  const before = await model.evaluate(tokens(ranks, 8), choices);
  for (let step = 0; step < 3; step++) {
    const { loss, gradNorm, layerLoads } = await model.step(tokens(ranks, step), choices);
    values.push([loss!, gradNorm!]);
    loads.push(layerLoads!.map((list) => [...list]));
  }
  const after = await model.evaluate(tokens(ranks, 9), choices);
  const final: Record<string, Float32Array> = {};
  for (const name of Object.keys(model.parameters)) final[name] = await model.read(name);
  return { values, loads, before, after, final };
}

for (const microbatches of [1, 2]) {
  Deno.test(`layers with and without padding together train as padded ones, ${microbatches} microbatches`, async () => {
    for (const ranks of [1, 2]) {
      for (const choices of [{ chunks: 1 }, { scheduler: "optSche", chunks: 3 }]) {
        const how = { ranks, ...choices };
        const padded = await trained({ ...sizes("padded"), microbatches }, how);
        const ragged = await trained({ ...sizes("dropless"), microbatches }, how);
        assertEquals(ragged.loads, padded.loads);
        for (const [step, [loss, norm]] of ragged.values.entries()) {
          assertLess(Math.abs(loss / padded.values[step][0] - 1), 1e-6);
          assertLess(Math.abs(norm / padded.values[step][1] - 1), 1e-5);
        }
        assertLess(Math.abs(ragged.before / padded.before - 1), 1e-6);
        assertLess(Math.abs(ragged.after / padded.after - 1), 1e-5);
        for (const [name, values] of Object.entries(ragged.final)) {
          assertLess(largestError(values, padded.final[name]), 2e-3, name);
        }
      }
    }
  });
}

Deno.test("layers without padding, microbatches, codecs: schedulers change no bit", async () => {
  for (const choices of [{}, { compressor: "int8" }]) {
    const config = { ...sizes("dropless"), microbatches: 2, gradientChunks: 2 };
    let first: string | undefined;
    for (const scheduler of byCapacity) {
      const { values, after, final } = await trained(config, { scheduler, chunks: 2, ...choices });
      const got = JSON.stringify([values, after, Object.values(final).map((list) => [...list])]);
      assert(got === (first ??= got), scheduler);
    }
  }
});

Deno.test("copies of experts without padding train as experts held once, and go on from a checkpoint", async () => {
  using engine = cpu(4, 2);
  const config = sizes("dropless");
  using copied = createModel(engine, { ...config, parallel: { expert: 2 } });
  using spread = createModel(engine, config);
  for (let step = 0; step < 3; step++) {
    const [a, b] = [await copied.step(tokens(4, step)), await spread.step(tokens(4, step))];
    assertLess(Math.abs(a.loss! / b.loss! - 1), 1e-5);
    assertLess(Math.abs(a.gradNorm! / b.gradNorm! - 1), 1e-5);
  }
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  await copied.save(path);
  const expected = (await copied.step(tokens(4, 3))).loss!;
  using again = createModel(engine, { ...config, parallel: { expert: 2 } }, { seed: 5 });
  assertEquals((await (await again.load(path)).step(tokens(4, 3))).loss, expected);
  await Deno.remove(path);
});

Deno.test("a model without padding computes, keeps and reports the rows that its gates chose", async () => {
  using engine = cpu(1);
  const memory = async (routing: "padded" | "dropless") => {
    const { layers: [layer, ...others], ...config } = sizes(routing);
    const moe = "moe" in layer ? { ...layer.moe, experts: 16, hiddenDim: 48 } : undefined;
    using model = createModel(engine, { ...config, layers: [{ moe: moe! }, ...others] });
    const { ran } = await model.step(tokens(1, 0));
    const flops = ran.flatMap(({ program: { order } }) => order)
      .filter(({ layer, kind }) => layer === 0 && /^expert/.test(kind))
      .reduce((sum, { flops, label }) => sum + (/^E/.test(label) ? flops : 0), 0);
    const report = model.memory();
    // buffers that a step keeps from Program to Program do not when the loss alone is computed
    await model.evaluate(tokens(1, 1));
    assert(model.memory().peak >= report.peak);
    const bytes = report.rows.find(({ tensor }) => tensor === "blocks.0.moe.expert.x")!.bytes;
    const states = ["parameter", "state"] as const;
    const { lives } = report;
    const known = states.reduce((sum, life) => sum + (lives[life] ?? 0), 0);
    return { flops, bytes, rest: report.peak - known };
  };
  const [padded, ragged] = [await memory("padded"), await memory("dropless")];
  // 32 tokens for 16 experts, of which each takes 2
  assertEquals(padded.flops / ragged.flops, 8);
  assertEquals(padded.bytes, 16 * 32 * 12 * 4);
  assert(ragged.bytes >= 2 * 32 * 12 * 4 && ragged.bytes < 1.2 * 2 * 32 * 12 * 4);
  assertLess(ragged.rest, padded.rest);
});

Deno.test("a model of more layers than routings were kept reports all of them", async () => {
  using engine = cpu(1);
  const { layers: [layer], ...config } = sizes("dropless");
  using model = createModel(engine, { ...config, layers: Array(20).fill(layer) });
  await model.step(tokens(1, 0));
  const names = new Set(model.memory().rows.map(({ tensor }) => tensor));
  for (let block = 0; block < 20; block++) assert(names.has(`blocks.${block}.moe.expert.x`));
});

Deno.test("the simulator runs a step without padding with loads as equal as can be", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
  const run = async (routing: "padded" | "dropless") => {
    const { layers: [layer], ...config } = sizes(routing);
    if (!("moe" in layer)) throw new Error("no experts");
    const moe = { ...layer.moe, experts: 16, hiddenDim: 4096 };
    using model = createModel(engine, { ...config, modelDim: 1024, layers: [{ moe }, { moe }] });
    return await model.step(undefined, { scheduler: "optSche", chunks: 2 });
  };
  const [padded, ragged] = [await run("padded"), await run("dropless")];
  assertEquals(ragged.ran.length, 3);
  assert(ragged.makespan >= ragged.bound! && ragged.bound! > 0);
  assertLess(ragged.makespan, padded.makespan);
});

Deno.test("a step without padding refuses chunks that rows cannot be split into, before anything runs", async () => {
  using engine = cpu(2);
  using model = createModel(engine, sizes("dropless"));
  await assertRejects(
    () => model.step(tokens(2, 0), { chunks: 99 }),
    SchemoeError,
    "chunks must be an integer from 1 to the capacity",
  );
  assertEquals(model.steps, 0);
  const { loss } = await model.step(tokens(2, 0));
  using other = createModel(engine, sizes("dropless"));
  assertEquals((await other.step(tokens(2, 0))).loss, loss);
});

const kinds: Readonly<Record<string, Partial<MoeConfig>>> = {
  "a shared expert": {
    shared: { hiddenDim: 8, expert: ffn({ activation: "relu" }), gate: "none" },
  },
  "latent rows": { latentDim: 6 },
  "a gate with updates of its own": {
    gate: topK({ k: 2, scores: "sigmoid", bias: true, update: signUpdate({ rate: 0.1 }) }),
  },
  "a gate with noise": { gate: noisyTopK({ k: 2 }) },
  "a gate with any number of experts for a token": { gate: reluRouting() },
  "copies of an expert on two ranks": {
    placement: { name: "mine", experts: 4, slots: [[0, 1, 2], [2, 3]] },
  },
};
for (const [name, more] of Object.entries(kinds)) {
  Deno.test(`layers with ${name} train without padding as with it`, async () => {
    const of = (routing: "padded" | "dropless"): ModelConfig => {
      const moe = { experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), ...more };
      const layers = [1, 2].map(() => ({ moe: { ...moe, routing: routings[routing] } }));
      return { ...sizes(routing), layers };
    };
    const choices = { scheduler: "optSche", chunks: 2 };
    const [padded, ragged] = [
      await trained(of("padded"), choices),
      await trained(of("dropless"), choices),
    ];
    assertEquals(ragged.loads, padded.loads);
    for (const [step, [loss, norm]] of ragged.values.entries()) {
      assertLess(Math.abs(loss / padded.values[step][0] - 1), 1e-5);
      assertLess(Math.abs(norm / padded.values[step][1] - 1), 1e-4);
    }
    for (const [tensor, values] of Object.entries(ragged.final)) {
      assertLess(largestError(values, padded.final[tensor]), 2e-3, tensor);
    }
  });
}

Deno.test("a dropless model takes more chunks than even loads would have rows", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using model = createModel(engine, {
    ...{ vocabulary: 5, context: 4, batch: 1, modelDim: 8, attention: { heads: 2 } },
    layers: [{
      moe: { experts: 8, hiddenDim: 8, gate: topK({ k: 1 }), routing: { dropless: true } },
    }],
  });
  const tokens = Int32Array.of(1, 2, 3, 4, 0);
  const whole = await model.evaluate(tokens);
  const { loss } = await model.step(tokens, { chunks: 3 });
  assertLess(Math.abs(loss! / whole - 1), 1e-5);
});
