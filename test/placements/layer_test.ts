import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import {
  createLayer,
  createModel,
  createStack,
  openEngine,
  SchemoeError,
  topK,
} from "../../mod.ts";
import { BUILT_IN } from "../../lib/layer/built_in.ts";
import { loadsOf, zipfRouting } from "../../lib/routing/mod.ts";
import { eplb, rankLoads, shadowed, trafficOfPlacement } from "../../lib/placements/mod.ts";
import { goldenErrors, largestError, repeatRanks, runGolden } from "../../lib/studies/golden.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import { goldenCase, goldenCases } from "../layer/golden_cases.ts";
import { placementCases } from "../../lib/studies/placement_cases.ts";

const cpu = (ranks: number) =>
  openEngine({ kind: "cpu", links: "plain", nodes: 2, ranksPerNode: ranks / 2 });

for (const found of goldenCases) {
  Deno.test(`${found.name} equals the reference wherever its experts are computed`, async () => {
    const { ranks, config } = found;
    using engine = cpu(ranks);
    for (const choices of [{}, { chunks: 2, allToAll: "pipe", scheduler: "optSche" }]) {
      const whole = await runGolden(engine, found, choices);
      for (const placement of placementCases(config.experts, ranks)) {
        const golden = { ...found, config: { ...config, placement } };
        const results = await runGolden(engine, golden, choices);
        for (const [tensor, error] of Object.entries(goldenErrors(golden, results))) {
          assertLess(error, 1e-5, `${placement.name} ${tensor}`);
        }
        if (new Set(placement.slots.flat()).size < placement.slots.flat().length) continue;
        // without copies all sums have their order, unless chunks follow the rows of the busiest rank
        if (choices.chunks && placement.name === "first") continue;
        for (const [tensor, values] of whole) {
          assertEquals(results.get(tensor), values, `${placement.name} ${tensor}`);
        }
      }
    }
  });
}

Deno.test("copies in expert groups smaller than the world equal the reference, in both layouts", async () => {
  for (const name of ["top2-relu", "top2-dropless"]) {
    const golden = repeatRanks(goldenCase(name), 8);
    using engine = cpu(8);
    for (const layout of ["inside", "across"] as const) {
      for (const placement of placementCases(golden.config.experts, 4)) {
        const config = { ...golden.config, parallel: { expert: 4, layout }, placement };
        const given = { ...golden, config };
        const results = await runGolden(engine, given, { chunks: 2, allToAll: "hierarchical2d" });
        for (const [tensor, error] of Object.entries(goldenErrors(given, results))) {
          assertLess(error, 1e-5, `${name} ${layout} ${placement.name} ${tensor}`);
        }
      }
    }
  }
});

Deno.test("schedulers and all-to-alls do not change a bit of a layer with copies of experts", async () => {
  for (const name of ["top2-overflow", "top2-dropless"]) {
    const found = goldenCase(name);
    const { ranks, config } = found;
    const [placement] = placementCases(config.experts, ranks);
    const golden = { ...found, config: { ...config, placement } };
    using engine = cpu(ranks);
    const whole = await runGolden(engine, golden, { chunks: 2 });
    for (const scheduler of BUILT_IN.scheduler) {
      if (["exact", "fasterMoE", "sumAnyOrder"].includes(scheduler)) continue;
      const results = await runGolden(engine, golden, { chunks: 2, scheduler });
      for (const [tensor, values] of whole) {
        assertEquals(results.get(tensor), values, `${scheduler} ${tensor}`);
      }
    }
    for (const allToAll of BUILT_IN.allToAll) {
      const results = await runGolden(engine, golden, { chunks: 2, allToAll });
      for (const [tensor, values] of whole) {
        assertEquals(results.get(tensor), values, `${allToAll} ${tensor}`);
      }
    }
    // groups of peers add up rows in another order
    const peers = await runGolden(engine, golden, { chunks: 2, scheduler: "fasterMoE" });
    for (const [tensor, error] of Object.entries(goldenErrors(golden, peers))) {
      assertLess(error, 1e-5, tensor);
    }
  }
});

Deno.test("copies of experts on two processes equal one process bit for bit", async () => {
  await using workers = await spawnWorkers(1);
  const found = goldenCase("top2-dropless");
  const shape = { nodes: 2, ranksPerNode: found.ranks / 2, links: "plain" } as const;
  using engine = await workers.openEngine(shape);
  using alone = openEngine({ kind: "cpu", ...shape });
  for (const placement of placementCases(found.config.experts, found.ranks).slice(0, 3)) {
    const golden = { ...found, config: { ...found.config, placement } };
    const choices = { chunks: 2, allToAll: "pipe", scheduler: "optSche" };
    const whole = await runGolden(alone, golden, choices);
    for (const [tensor, values] of await runGolden(engine, golden, choices)) {
      assertEquals(values, whole.get(tensor)!, `${placement.name} ${tensor}`);
    }
  }
});

const SIZES = { ranks: 8, tokens: 512, experts: 16, topK: 2, exponent: 1 };
const shape = { nodes: 2, ranksPerNode: 4 };

Deno.test("what moves in a simulated pass is the traffic of the placement, the weights of guests and their gradients", async () => {
  const loads = loadsOf(zipfRouting(SIZES));
  const [modelDim, hiddenDim] = [64, 32];
  const placement = eplb(loads, shape, { slotsPerRank: 3 });
  using engine = openEngine({ kind: "simulate", ...shape });
  const layer = createLayer(engine, {
    tokens: 512,
    modelDim,
    hiddenDim,
    experts: 16,
    placement,
    gate: topK({ k: 2 }),
    routing: { dropless: true },
  });
  const forward = await layer.forward({ loads });
  const backward = await layer.backward();
  const options = { ranksPerNode: 4, bytesPerToken: 4 * modelDim };
  const traffic = trafficOfPlacement(loads, placement, options);
  const tasks = forward.ran[1].program.graph.tasks;
  const out = tasks.find(({ label }) => label === "A1")!;
  for (let rank = 0; rank < 8; rank++) {
    const sent = new Float64Array(8);
    for (const { kind, peer, bytes } of out.transfers!(rank)) {
      if (kind !== "receive") sent[kind === "copy" ? rank : peer] += bytes;
    }
    for (let to = 0; to < 8; to++) assertEquals(sent[to], traffic.bytes(rank, to));
  }
  const expert = tasks.find(({ label }) => label === "E")!;
  const flops = layer.layer.expert.flops({ modelDim, hiddenDim }).forward;
  for (const [rank, rows] of rankLoads(loads, placement, { ranksPerNode: 4 }).entries()) {
    assertEquals(expert.rankFlops!(rank), rows * flops);
  }
  const expertBytes = 4 * (2 * modelDim * hiddenDim + hiddenDim + modelDim);
  const guests = placement.slots.map((list, rank) =>
    list.filter((e) => Math.floor(e / 2) !== rank).length
  );
  const received = (all: typeof tasks, label: string, kind: string) =>
    Array.from(
      { length: 8 },
      (_, rank) =>
        all.filter((task) => task.label === label).flatMap((task) => [...task.transfers!(rank)])
          .reduce((sum, { kind: k, bytes }) => sum + (k === kind ? bytes : 0), 0),
    );
  assertEquals(received(tasks, "W", "receive"), guests.map((n) => n * expertBytes));
  const back = backward.ran[0].program.graph.tasks;
  assertEquals(received(back, "GR", "send"), guests.map((n) => n * expertBytes));
  assert(forward.makespan > 0 && forward.bound! <= forward.makespan);
  assert(backward.bound! <= backward.makespan);
});

Deno.test("shadowing takes the tokens of popular experts off the links, in a padded layer too", async () => {
  const loads = loadsOf(zipfRouting({ ...SIZES, exponent: 1.2 }));
  const placement = shadowed(loads, { expert: 1, token: 1 });
  using engine = openEngine({ kind: "simulate", ...shape });
  const config = { tokens: 512, modelDim: 64, hiddenDim: 32, experts: 16, gate: topK({ k: 2 }) };
  for (const dropless of [true, false]) {
    const sent = async (placed: boolean) => {
      const layer = createLayer(engine, {
        ...config,
        routing: dropless ? { dropless } : { capacityFactor: 2 },
        ...(placed ? { placement } : {}),
      });
      const { ran } = await layer.forward(dropless ? { loads } : {});
      return ran.at(-1)!.program.graph.tasks.find(({ label }) => label === "A1")!.bytes;
    };
    assertLess(await sent(true), await sent(false));
  }
});

Deno.test("stacks and models compute placed experts, with the results that they have without", async () => {
  using engine = cpu(4);
  const placement = placementCases(8, 4)[0];
  const layer = { tokens: 12, modelDim: 8, hiddenDim: 16, experts: 8, gate: topK({ k: 2 }) };
  const results = [];
  for (const given of [{}, { placement }]) {
    using stack = createStack(engine, { layers: 2, layer: { ...layer, ...given } });
    const choices = { chunks: 2, scheduler: "optSche" };
    const { output } = await stack.forward(choices);
    const { gradients } = await stack.backward(choices);
    results.push({ y: output!, ...gradients } as Record<string, Float32Array>);
  }
  for (const [name, values] of Object.entries(results[0])) {
    assertLess(largestError(results[1][name], values), 1e-5, name);
  }
  const losses = [];
  for (const given of [{}, { placement }]) {
    using model = createModel(engine, {
      vocabulary: 11,
      context: 8,
      batch: 2,
      modelDim: 12,
      rate: 0.01,
      microbatches: 2,
      attention: { heads: 2 },
      layers: [{ moe: { experts: 8, hiddenDim: 10, gate: topK({ k: 2 }), ...given } }],
    });
    const tokens = Int32Array.from({ length: 4 * 2 * 9 }, (_, i) => (i * i) % 11);
    for (let step = 0; step < 3; step++) losses.push((await model.step(tokens)).loss!);
  }
  for (let step = 0; step < 3; step++) {
    assertLess(Math.abs(losses[step + 3] / losses[step] - 1), 1e-5);
  }
});

Deno.test("padded layers, stacks and models with copies of experts refuse more chunks than places", async () => {
  using engine = cpu(2);
  const placement = { name: "twice", experts: 2, slots: [[0, 1], [0, 1]] };
  const gate = topK({ k: 1 });
  const sizes = { tokens: 8, modelDim: 4, hiddenDim: 4, experts: 2, gate, placement };
  const refused = (run: () => Promise<unknown>) =>
    assertRejects(run, SchemoeError, "chunks must be an integer from 1 to the capacity");
  const layer = createLayer(engine, sizes);
  await layer.forward();
  await refused(() => layer.forward({ chunks: 9 }));
  await layer.backward({ dy: new Float32Array(2 * 8 * 4) }); // nothing ran, so forward is kept
  await refused(() => layer.backward({ chunks: 9 }));
  using stack = createStack(engine, { layers: 2, layer: sizes });
  await refused(() => stack.forward({ chunks: 9 }));
  using model = createModel(engine, {
    vocabulary: 11,
    context: 8,
    batch: 1,
    modelDim: 8,
    attention: { heads: 2 },
    layers: [{ moe: { experts: 2, hiddenDim: 4, gate, placement } }],
  });
  await refused(() => model.step(new Int32Array(2 * 9), { chunks: 99 }));
});

Deno.test("placements of layers name what is wrong", () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = { tokens: 8, modelDim: 4, hiddenDim: 4, experts: 4 };
  const fails = (slots: number[][], part: string, experts = 4) =>
    assertThrows(
      () => createLayer(engine, { ...layer, placement: { name: "own", experts, slots } }),
      SchemoeError,
      part,
    );
  const named = "eplb" as never;
  assertThrows(
    () => createLayer(engine, { ...layer, placement: named }),
    SchemoeError,
    'placement must be a value such as eplb(loads, topology, { slotsPerRank: 5 }), got "eplb"',
  );
  fails([[0], [1]], 'the placement "own" has slots of 2 ranks; give those of all 4');
  fails([[0], [1], [2], [4]], "puts expert 4 on rank 3; they are 0 to 3");
  fails([[0], [1], [2], [2]], "has expert 3 on no rank");
  fails([[0], [1], [2], [3]], "is for 8 experts, the layer has 4", 8);
  using node = openEngine({
    kind: "simulate",
    nodes: 2,
    ranksPerNode: 2,
    representatives: true,
  });
  const slots = [[0, 1], [1], [2], [3]];
  const made = createLayer(node, { ...layer, placement: { name: "own", experts: 4, slots } });
  return made.forward().then(
    () => assert(false, "it ran"),
    (error) => assert(String(error).includes("one node stands for all on this engine")),
  );
});
