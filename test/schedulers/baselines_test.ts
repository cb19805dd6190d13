import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import {
  capacitySlices,
  createLayer,
  criticalPath,
  fasterMoE,
  openEngine,
  optSche,
  peerGroups,
  type Run,
  type Scheduler,
  SchemoeError,
  type Task,
  type TaskGraph,
  topK,
  topology,
  weightGradLast,
} from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { modelCosts } from "../../lib/costs/mod.ts";
import { simulate } from "../../lib/engines/mod.ts";

const config = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) };
const names = (run: Run) => run.ran[0].program.order.map(({ name }) => name).join(" ");

/** Two ranks, one a node: a task of n flops, or that sends n bytes, takes n seconds. */
const world = topology({
  nodes: 2,
  ranksPerNode: 1,
  inter: { alpha: 0, beta: 1 },
  processor: { alpha: 0, flopRate: 1, byteRate: 1e21 },
});

/** A graph of tasks that compute, or that send where the name begins with A. */
function graphOf(rows: readonly [string, number, number[], Task["kind"]?][]): TaskGraph {
  const g = new GraphBuilder(world, "backward", 2);
  const tasks: Task[] = [];
  for (const [name, seconds, after, kind = "opaque"] of rows) {
    const chunk = Number(name.match(/\d\]$/)?.[0][0] ?? 2);
    const common = {
      name,
      label: name.split("[")[0],
      kind,
      chunk,
      stage: tasks.length,
      after: after.map((i) => tasks[i]),
    };
    tasks.push(g.add(
      name.startsWith("A")
        ? {
          ...common,
          lane: "inter",
          transfers: (rank) => [
            { kind: "send", peer: 1 - rank, bytes: seconds, from: { buffer: "b", offset: 0 } },
            { kind: "receive", peer: 1 - rank, bytes: seconds, to: { buffer: "b", offset: 0 } },
          ],
        }
        : { ...common, flops: seconds },
    ));
  }
  return g.build({});
}

/** Order and makespan in seconds. */
function ran(scheduler: Scheduler, graph: TaskGraph): [string, number] {
  const program = buildProgram(graph, scheduler.order(graph, modelCosts(world)), scheduler.name);
  const { end } = simulate(program, world);
  return [
    program.order.map(({ name }) => name).join(" "),
    end.reduce((a, b) => Math.max(a, b)) / 1e9,
  ];
}

Deno.test("criticalPath runs first what most time lies behind, as worked out by hand", () => {
  // q, its transfer of 4 s and s make 6 s; p of 2 s fits behind q
  const graph = graphOf([["p", 2, []], ["q", 1, []], ["A", 4, [1]], ["s", 1, [2]]]);
  assertEquals(ran(criticalPath, graph), ["q p A s", 6]);
  assertEquals(ran({ name: "as added", order: ({ tasks }) => tasks }, graph)[1], 8);
});

Deno.test("criticalPath takes of equal tasks the one that was added first", () => {
  const graph = graphOf([["p", 1, []], ["q", 1, []], ["r", 1, []]]);
  assertEquals(ran(criticalPath, graph), ["p q r", 3]);
});

Deno.test("weightGradLast fills gaps with weight gradients, as worked out by hand", () => {
  const graph = graphOf([
    ["A1[0]", 1, []],
    ["A1[1]", 1, []],
    ["Ei[0]", 1, [0], "expertInputGrad"],
    ["Ew[0]", 2, [2], "expertWeightGrad"],
    ["Ei[1]", 1, [1], "expertInputGrad"],
    ["Ew[1]", 2, [4, 3], "expertWeightGrad"],
    ["A2[0]", 1, [2]],
    ["A2[1]", 3, [4]],
    ["end", 1, [6, 7]],
  ]);
  // A1 0-1, 1-2; Ei 1-2, 2-3; A2 2-3, 3-6; Ew 3-5, 5-7; end 7-8
  assertEquals(ran(weightGradLast, graph), [
    "A1[0] Ei[0] A1[1] Ei[1] A2[0] Ew[0] A2[1] Ew[1] end",
    8,
  ]);
  // Ew[0] 2-4 keeps Ei[1] until 4-5, so that A2[1] is 5-8
  assertEquals(ran(optSche, graph)[1], 9);
});

Deno.test("weightGradLast is optSche in the forward pass", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, config);
  const run = (scheduler: string) => layer.forward({ scheduler, chunks: 3, compressor: "int8" });
  assertEquals(names(await run("weightGradLast")), names(await run("optSche")));
});

Deno.test("tutel issues all dispatch exchanges first, and each combine exchange after its experts", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, config);
  assertEquals(
    names(await layer.forward({ scheduler: "tutel", chunks: 2 })),
    "gate dispatch A1[0] A1[1] D1[0] E[0] C2[0] A2[0] D1[1] E[1] C2[1] A2[1] combine",
  );
  assertEquals(
    names(await layer.backward({ scheduler: "tutel", chunks: 2 })),
    "combine A1[0] A1[1] D1[0] Ei[0] Ew[0] C2[0] A2[0] D1[1] Ei[1] Ew[1] C2[1] A2[1] " +
      "gate dispatch grad.gate AR1 grad.gate sum grad.gate AR2",
  );
});

Deno.test("fasterMoE sends all groups, computes all, returns all", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const run = await createLayer(engine, config).forward({ scheduler: "fasterMoE", chunks: 2 });
  assertEquals(
    names(run),
    "gate dispatch A1[0] A1[1] D1[0] E[0] C2[0] D1[1] E[1] C2[1] A2[0] A2[1] combine",
  );
  assertEquals(run.configuration.chunking, "peers in groups of 2");
});

/** Two nodes of one rank: 32 rows for each expert take 1 s of link for 16 rows and 2 s of expert for 32. */
const byHand = async (scheduler: string, chunks: number) => {
  using engine = openEngine({
    kind: "simulate",
    topology: topology({
      nodes: 2,
      ranksPerNode: 1,
      local: { beta: 0 },
      inter: { alpha: 0, beta: 1 / 2048 },
      processor: { alpha: 0, flopRate: 2 * 16 * 4 * 32 * 64 / 2, byteRate: 1e21 },
    }),
  });
  const sizes = { tokens: 32, modelDim: 32, hiddenDim: 64, experts: 2, gate: topK({ k: 2 }) };
  return await createLayer(engine, sizes).forward({ scheduler, chunks });
};
const gate = 2 * 32 * 32 * 2 / (16 * 4 * 32 * 64);

Deno.test("tutel takes the time worked out by hand", async () => {
  // A1 1 s each at 0 and 1, E 2 s each at 1 and 3, A2 1 s each at 3 and 5
  assertAlmostEquals((await byHand("tutel", 2)).makespan, gate + 6, 1e-9);
});

Deno.test("fasterMoE takes the time worked out by hand", async () => {
  // S0 and R0 stay on the rank; S1 2 s at 0, C0 2 s at 0, C1 2 s at 2, R1 2 s at 4
  const run = await byHand("fasterMoE", 2);
  assertAlmostEquals(run.makespan, gate + 6, 1e-9);
  const bytes = run.ran[0].program.graph.tasks.filter(({ label }) => label === "A1").map((task) =>
    task.bytes
  );
  assertEquals(bytes, [0, 4096]);
});

Deno.test("peerGroups() splits ranks that do not divide evenly, and never into more groups than ranks", () => {
  const at = { capacity: 7, topology: topology({ nodes: 1, ranksPerNode: 5 }) };
  assertEquals(peerGroups(2).split(at).map(({ peers }) => peers), [
    { bounds: [0, 2, 5], step: 0 },
    { bounds: [0, 2, 5], step: 1 },
  ]);
  assertEquals(peerGroups(9).split(at).length, 5);
});

Deno.test("a way of splitting that does not cover everything once is an error", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layer = createLayer(engine, config);
  const whole = { begin: 0, end: 32 };
  const bounds = [0, 1, 2];
  const cases: [object[], string][] = [
    [[], "at least one chunk"],
    [[{ begin: 0, end: 8 }, { begin: 9, end: 32 }], "must have at least one and begin at 8"],
    [[{ begin: 0, end: 8 }], "the chunks end at 8, the capacity is"],
    [[{ ...whole, peers: { bounds, step: 0 } }], "2 groups of peers need as many chunks"],
    [[{ ...whole, peers: { bounds: [0, 1], step: 0 } }], "must rise from 0 to 2"],
    [
      [0, 0].map((step) => ({ ...whole, end: layerCapacity(), peers: { bounds, step } })),
      "chunk 1 has step 0",
    ],
    [[{ ...whole, end: layerCapacity(), peers: { bounds, step: 0 } }, {
      ...whole,
      end: layerCapacity(),
    }], "chunk 1 has other groups"],
  ];
  function layerCapacity(): number {
    return config.tokens * config.gate.k / config.experts;
  }
  for (const [chunks, message] of cases) {
    const chunking = {
      name: "mine",
      split: () => chunks as ReturnType<ReturnType<typeof peerGroups>["split"]>,
    };
    await assertRejects(() => layer.forward({ chunks: chunking }), SchemoeError, message);
  }
});

Deno.test("backward splits as forward did where it is given a number, and refuses another way", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, config);
  await layer.forward({ scheduler: fasterMoE, chunks: 2 });
  const run = await layer.backward({ scheduler: "optSche", chunks: 4 });
  assertEquals([run.configuration.chunking, run.configuration.chunks], ["peers in groups of 1", 4]);
  await assertRejects(
    () => layer.backward({ chunks: capacitySlices(2) }),
    SchemoeError,
    "keeps rows in another order",
  );
  await layer.forward({ chunks: 2 });
  assert(
    !("chunking" in (await layer.backward({ scheduler: fasterMoE, chunks: 2 })).configuration),
  );
});
