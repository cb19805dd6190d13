import { assert, assertEquals, assertLess } from "@std/assert";
import { createModel, createStack, openEngine, topK } from "../../mod.ts";
import { acrossLayers, criticalPath, optSche, sequential } from "../../lib/schedulers/mod.ts";
import { testbed } from "../../lib/testbeds/mod.ts";
import type { ModelConfig } from "../../lib/model/mod.ts";
import type { PassChoices } from "../../lib/layer/mod.ts";

/** Experts compute for about three times as long as their rows travel. */
const config: ModelConfig = {
  vocabulary: 4096,
  context: 512,
  batch: 8,
  modelDim: 1024,
  dtype: "bfloat16",
  attention: { heads: 16 },
  layers: Array.from({ length: 4 }, () => ({
    moe: {
      experts: 8,
      hiddenDim: 2048,
      gate: topK({ k: 2 }),
      routing: { capacityFactor: 1 },
    },
  })),
};

async function step(ranks: number, choices: PassChoices) {
  const { topology } = testbed("h200-ib400", { nodes: 1, ranksPerNode: ranks });
  using engine = openEngine({ kind: "simulate", topology });
  using model = createModel(engine, config);
  return await model.step(undefined, choices);
}

Deno.test("acrossLayers() lets norms and updates of a step wait, so that no layer waits for reductions of gradients", async () => {
  const { makespan, bound } = await step(4, { scheduler: "criticalPath" });
  assertLess(makespan, 1.05 * bound!); // 1.16 where they keep their place
  const slow = await step(4, { scheduler: "sequential" });
  assertLess(1.15 * bound!, slow.makespan);
});

Deno.test("acrossLayers() keeps weight gradients in their place where moving them saves nothing", async () => {
  const labels = async (scheduler: PassChoices["scheduler"]) =>
    (await step(1, { scheduler })).ran[0].program.order.map(({ name }) => name)
      .filter((name) => /moe\.backward|attentionW/.test(name));
  assertEquals(await labels(criticalPath), await labels(sequential));
});

Deno.test("acrossLayers() puts weight gradients where compute would wait for an all-to-all", async () => {
  const { program } = (await step(4, { scheduler: "criticalPath" })).ran[0];
  const names = program.order.filter(({ lane }) => lane === "compute").map(({ name }) => name);
  const at = (name: string) => names.indexOf(name);
  // before the gradient of the gate, which comes after what the experts' wait for
  const moved = [1, 2, 3].filter((layer) =>
    at(`B${layer}.moe.backward.Ew[0]`) > at(`B${layer}.moe.backward.Ei[0]`) + 1 ||
    at(`B${layer}.grad.attentionW`) > at(`B${layer}.grad.attention`) + 1
  );
  assert(moved.length > 0, names.join(" "));
});

Deno.test("acrossLayers() of what has been through it is the same, so that a stack takes it too", async () => {
  const across = acrossLayers(optSche);
  assert(acrossLayers(across) === across);
  const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 };
  const stack = createStack(engine, { layer, layers: 3 });
  const [plain, twice] = [
    await stack.forward({ scheduler: "optSche", chunks: 2 }),
    await stack.forward({ scheduler: across, chunks: 2 }),
  ];
  assertEquals(twice.makespan, plain.makespan);
});
