import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { createModel, type ModelConfig, openEngine, SchemoeError } from "../../mod.ts";
import { gshard, signUpdate, swiglu, topK } from "../../lib/blocks/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const sizes: ModelConfig = {
  vocabulary: 11,
  context: 8,
  batch: 6,
  modelDim: 12,
  rate: 0.01,
  attention: { heads: 4, keyValueHeads: 2 },
  layers: [
    { moe: { experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), routing: { capacityFactor: 0 } } },
    { ffn: { hiddenDim: 16, expert: swiglu() } },
    { moe: { experts: 4, hiddenDim: 10, gate: topK({ k: 1 }), routing: { capacityFactor: 0 } } },
  ],
};

const tokens = (ranks: number, step: number) =>
  Int32Array.from({ length: ranks * 6 * 9 }, (_, i) => (i * i + step * (i % 5)) % 11);

const open = (ranksPerNode: number) =>
  openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });

/** Losses, norms, gradients of the last step and parameters after some steps. */
async function trained(ranks: number, change: Partial<ModelConfig>, choices = {}, steps = 3) {
  using engine = open(ranks);
  using model = createModel(engine, { ...sizes, ...change });
  const values: { loss: number; norm: number; loads: number[][] }[] = [];
  for (let step = 0; step < steps; step++) {
    const done = await model.step(tokens(ranks, step), choices);
    const loads = done.layerLoads!.map((list) => [...list]);
    values.push({ loss: done.loss!, norm: done.gradNorm!, loads });
  }
  const gradients: Record<string, Float32Array> = {}, final: Record<string, Float32Array> = {};
  for (const name of Object.keys(model.parameters)) {
    gradients[name] = await model.gradient(name);
    final[name] = await model.read(name);
  }
  return { values, gradients, final, loss: await model.evaluate(tokens(ranks, 9), choices) };
}

Deno.test("microbatches give the gradients of the whole batch, on one rank and on two, tied or not", async () => {
  for (const ranks of [1, 2]) {
    for (const tied of [false, true]) {
      const whole = await trained(ranks, { tied });
      for (const microbatches of [2, 3]) {
        const parts = await trained(ranks, { tied, microbatches, gradientChunks: microbatches });
        for (const [step, { loss, norm, loads }] of parts.values.entries()) {
          const expected = whole.values[step];
          assertLess(Math.abs(loss / expected.loss - 1), 1e-5);
          assertLess(Math.abs(norm / expected.norm - 1), 1e-5);
          assertEquals(loads, expected.loads);
        }
        for (const [name, gradient] of Object.entries(parts.gradients)) {
          assertLess(largestError(gradient, whole.gradients[name]), 2e-4, name);
        }
        assertLess(Math.abs(parts.loss / whole.loss - 1), 1e-5);
      }
    }
  }
});

Deno.test("microbatches take losses on the routing within each, as a mean", async () => {
  const moe = {
    experts: 4,
    hiddenDim: 10,
    gate: topK({ k: 2 }),
    losses: [gshard({ weight: 0.5 })],
    routing: { capacityFactor: 0 },
  };
  const change: Partial<ModelConfig> = { layers: [{ moe }] };
  using engine = open(1);
  const losses: number[] = [];
  // the parts as batches of their own, before any update
  for (let part = 0; part < 3; part++) {
    using model = createModel(engine, { ...sizes, ...change, batch: 2 });
    losses.push((await model.step(tokens(1, 0).slice(part * 18, part * 18 + 18))).loss!);
  }
  const { values } = await trained(1, { ...change, microbatches: 3 }, {}, 1);
  assertLess(Math.abs(3 * values[0].loss / losses.reduce((a, b) => a + b) - 1), 1e-6);
});

Deno.test("microbatches: schedulers and all-to-alls change no bit", async () => {
  let first: string | undefined;
  for (const scheduler of byCapacity) {
    for (const allToAll of scheduler === "optSche" ? ["linear", "pipe", "bruck"] : ["linear"]) {
      const choices = { scheduler, allToAll, chunks: 2 };
      const { values, final, loss } = await trained(
        2,
        { microbatches: 2, gradientChunks: 2 },
        choices,
      );
      const text = JSON.stringify([values, loss, Object.values(final).map((list) => [...list])]);
      assert(text === (first ??= text), `${scheduler}, ${allToAll}`);
    }
  }
});

Deno.test("microbatches need less memory for activations", async () => {
  using engine = open(1);
  const arena = async (microbatches: number) => {
    using model = createModel(engine, { ...sizes, batch: 48, modelDim: 32, microbatches });
    const count = 48 * 9;
    await model.step(new Int32Array(count));
    return model.memory().shared;
  };
  assertLess(await arena(4), 0.6 * await arena(1));
});

Deno.test("createModel() refuses microbatches that cannot be", () => {
  using engine = open(1);
  const refused = (change: object, text: string) =>
    assertThrows(() => createModel(engine, { ...sizes, ...change }), SchemoeError, text);
  refused({ microbatches: 4 }, "4 microbatches do not divide the batch of 6");
  refused({ microbatches: 0 }, "microbatches must be a positive integer, got 0");
  const gate = topK({ k: 2, scores: "sigmoid", bias: true, update: signUpdate({ rate: 0.1 }) });
  const layers = [{ moe: { experts: 4, hiddenDim: 10, gate } }];
  refused({ microbatches: 2, layers }, "has updates of its own, which microbatches repeat");
});
