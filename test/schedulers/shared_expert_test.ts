/** Where schedulers put a shared expert. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  createLayer,
  exactSchedule,
  openEngine,
  optSche,
  swiglu,
  topK,
  topology,
} from "../../mod.ts";
import { modelCosts } from "../../lib/costs/mod.ts";
import { openSimulator } from "../../lib/engines/mod.ts";
import { uniforms } from "../../lib/random.ts";
import { model } from "../../lib/studies/models/mod.ts";
import { testbed } from "../../lib/testbeds/mod.ts";

/** Makespans over those of `exact`, which are proven, of small layers whose shared expert is of any size. */
async function overExact(pass: "forward" | "backward"): Promise<number[]> {
  const random = uniforms(7);
  const ratios = [];
  for (let i = 0; i < 24; i++) {
    const chunks = 1 + i % 3;
    const world = topology({ nodes: 1 + i % 2, ranksPerNode: 2 + 2 * (i % 2) });
    using engine = openSimulator(world);
    const width = () => 64 * 2 ** Math.floor(6 * random());
    using layer = createLayer(engine, {
      tokens: 512,
      modelDim: 256,
      hiddenDim: width(),
      experts: 8,
      gate: topK({ k: 2 }),
      expert: swiglu(),
      shared: { hiddenDim: width() },
    });
    const choices = {
      scheduler: optSche,
      allToAll: "pipe",
      chunks,
      compressor: i % 4 === 0 ? "zfp" : "none",
    } as const;
    const forward = await layer.forward(choices);
    const run = pass === "forward" ? forward : await layer.backward(choices);
    const best = exactSchedule(run.ran.at(-1)!.program.graph, modelCosts(world), { timeLimit: 20 });
    assert(best.proven, `${i} is not proven`);
    ratios.push(run.makespan / best.seconds);
  }
  return ratios.toSorted((a, b) => a - b);
}

Deno.test("optSche with a shared expert: forward no order is shorter", async () => {
  for (const ratio of await overExact("forward")) assertAlmostEquals(ratio, 1, 1e-9);
});

Deno.test("optSche with a shared expert: backward most orders are the shortest, all within 5 %", async () => {
  const ratios = await overExact("backward");
  assert(ratios[12] < 1.001 && ratios.at(-1)! < 1.05, ratios.map((r) => r.toFixed(3)).join(" "));
});

Deno.test("optSche hides DeepSeek-V3's shared expert behind A1 on 8 nodes of 8", async () => {
  const { topology: world } = testbed("h200-ib400", { nodes: 8, ranksPerNode: 8 });
  using engine = openSimulator(world, { representatives: true });
  const { shared: _, ...without } = model("deepseek-v3").layer({
    tokens: 4096,
    dtype: "bfloat16",
    routing: { capacityFactor: 1 },
  });
  const choices = { scheduler: "optSche", allToAll: "pipe", chunks: 4 } as const;
  using plain = createLayer(engine, without);
  using whole = createLayer(engine, { ...without, shared: _ });
  const [alone, run] = [await plain.forward(choices), await whole.forward(choices)];
  assertEquals(run.makespan, alone.makespan);
  const times = run.timeline.objects() as {
    name: string;
    start_ns: number;
    end_ns: number;
  }[];
  const of = (name: string) => times.find((task) => task.name === name)!;
  const [S, A1] = [of("S"), of("A1[0] inter")];
  assert(A1.start_ns <= S.start_ns && S.end_ns <= A1.end_ns);
});

Deno.test("optSche with a shared expert orders many chunks too, and changes no bit", async () => {
  const config = {
    tokens: 128,
    modelDim: 8,
    hiddenDim: 12,
    experts: 4,
    gate: topK({ k: 2 }),
    shared: { hiddenDim: 6 },
  };
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const results = [];
  for (const scheduler of ["sequential", "optSche"]) {
    using layer = createLayer(engine, config);
    const choices = { scheduler, chunks: 60, results: true } as const;
    const { output } = await layer.forward(choices);
    const run = await layer.backward(choices);
    assert(run.ran[0].program.order.length > 240);
    results.push({ output: output!, ...run.gradients });
  }
  assertEquals(results[1], results[0]);
});

Deno.test("optSche lets no row wait for sums over ranks: DeepSeek-V3's layer backward has the best order", async () => {
  const { topology: cluster } = testbed("h200-ib400", { nodes: 8, ranksPerNode: 8 });
  using engine = openSimulator(cluster, { representatives: true });
  const routing = { capacityFactor: 1 };
  const { shared: _, ...config } = model("deepseek-v3").layer({
    tokens: 4096,
    dtype: "bfloat16",
    routing,
  });
  using layer = createLayer(engine, config);
  const choices = { scheduler: optSche, allToAll: "pipe", chunks: 4 } as const;
  await layer.forward(choices);
  const { makespan } = await layer.backward(choices);
  const best = await layer.backward({ ...choices, scheduler: "exact" });
  // all but the last sums' way back inside the nodes, which the bound of the lane between them does not count
  assert(makespan / best.bound! < 1.01, `${makespan / best.bound!} of the bound`);
  assert(makespan < best.makespan * 1.001, `${makespan / best.makespan} of the best order`);
});
