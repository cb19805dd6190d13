import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { makespan } from "../../lib/timeline/measures/makespan.ts";
import {
  BUILT_IN,
  createLayer,
  exactSchedule,
  exactWith,
  openEngine,
  SchemoeError,
  type Task,
  topology,
} from "../../mod.ts";
import { GraphBuilder, timedGraph } from "../../lib/graph/mod.ts";
import { lowerBound } from "../../lib/costs/mod.ts";
import {
  checkExhaustive,
  checkOthers,
  checkPlainSearch,
  checkRanks,
  checkTheorem,
} from "../../lib/tasks/bench/exact_checks.ts";
import { randomInstance, randomNumbers } from "../../lib/tasks/bench/exact_instances.ts";
import { makespanOf } from "../../lib/tasks/bench/exact_oracle.ts";

// a few instances each; lib/tasks/bench_exact.ts runs as many as the project promises

Deno.test("exact equals the best of all orders of two chunks on three lanes", () => {
  assertEquals(checkExhaustive({ count: 80, seed: 11 }).failures, []);
});

Deno.test("exact equals a search without dominance for three chunks, unequal ones included", () => {
  assertEquals(checkPlainSearch({ count: 10, seed: 12 }).failures, []);
});

Deno.test("exact equals the best of all orders on four ranks that all differ", () => {
  assertEquals(checkRanks({ count: 40, seed: 13 }).failures, []);
});

Deno.test("exact equals Theorem 1 inside its assumption", () => {
  assertEquals(checkTheorem({ count: 150, seed: 14 }).failures, []);
});

Deno.test("exact is never worse than another built-in scheduler, and never below the bound", () => {
  assertEquals(checkOthers({ count: 400, seed: 15 }).failures, []);
});

Deno.test("exact leaves a lane idle on purpose", () => {
  // compute could begin with `long` at 0; waiting 1 s for `urgent` gives 12 s instead of 16 s
  const g = new GraphBuilder(topology({ nodes: 1, ranksPerNode: 1 }), "forward", 1);
  const add = (label: string, lane: Task["lane"], after: Task[]) =>
    g.add({ kind: "opaque", label, chunk: 0, stage: 0, lane, after });
  add("long", "compute", []);
  const arrival = add("arrival", "inter", []);
  add("last", "inter", [add("urgent", "compute", [arrival])]);
  const seconds: Record<string, number> = { long: 5, arrival: 1, urgent: 1, last: 10 };
  const costs = { source: "test", seconds: ({ label }: Task) => seconds[label] };
  const found = exactSchedule(g.build({}), costs);
  assertEquals([found.seconds, found.proven, found.gap], [12, true, 0]);
});

Deno.test("exactSchedule() runs the smaller of two chunks first where index order takes longer", () => {
  // A1 of 3 s and 1 s, E of 6 s and 2 s: 11 s in index order
  const { graph, costs } = timedGraph({ chunks: [3, 1], times: { A1: 1, E: 2 } });
  assertEquals(makespanOf(graph, costs, graph.tasks), 11);
  const found = exactSchedule(graph, costs);
  assertEquals(found.seconds, 10);
  assertEquals(found.order[0].name, "A1[1]");
});

Deno.test("exactSchedule() returns its best order and a proven gap when time is up", () => {
  const random = randomNumbers(1);
  let open = 0;
  for (let i = 0; i < 40; i++) {
    const { graph, costs } = randomInstance(random, { chunks: 8, phases: "2dh", uneven: true });
    let told: unknown;
    const found = exactSchedule(graph, costs, { timeLimit: 1e-6, onGap: (gap) => told = gap });
    const best = exactSchedule(graph, costs, { timeLimit: 0.05 });
    assertEquals(told, found);
    assertEquals(found.proven, found.gap === 0);
    assertAlmostEquals(makespanOf(graph, costs, found.order), found.seconds, 1e-9 * found.seconds);
    assert(found.bound <= best.seconds * (1 + 1e-9), "the bound is above a makespan");
    assert(best.seconds <= found.seconds * (1 + 1e-9), "more time made it worse");
    if (!found.proven) open++;
  }
  assert(open > 0, "every instance was solved at once");
});

Deno.test("exact runs by name, in both passes, and takes what it says", async () => {
  const processors = { of: [0, 0, 1, 1], capacity: [1, 1] };
  for (const sharing of [undefined, processors]) {
    using engine = openEngine({
      kind: "simulate",
      topology: topology({ nodes: 2, ranksPerNode: 2, sharing }),
    });
    const layer = createLayer(engine, { tokens: 128, modelDim: 64, hiddenDim: 64, experts: 8 });
    const choices = {
      chunks: 3,
      allToAll: "pipe",
      compressor: { dispatch: "int8", combine: "bf16" },
    };
    for (const pass of ["forward", "backward"] as const) {
      let said = NaN;
      const scheduler = exactWith({ timeLimit: 20, onGap: ({ seconds }) => said = seconds });
      const run = await layer[pass]({ ...choices, scheduler });
      assertAlmostEquals(makespan(run.timeline) * 1e-9, said, 1e-9 * said);
      const other = await layer[pass]({ ...choices, scheduler: "optSche" });
      assert(run.makespan <= other.makespan * (1 + 1e-9));
      const named = await layer[pass]({ ...choices, scheduler: "exact" });
      assertAlmostEquals(named.makespan, run.makespan, 1e-9 * said);
    }
  }
});

Deno.test("exact is among the built-in schedulers", () => {
  assertEquals(
    ["exact", "pipeMoE", "fsMoE"].filter((name) => !BUILT_IN.scheduler.includes(name)),
    [],
  );
});

Deno.test("exactSchedule() names what is wrong with its input", () => {
  const { graph, costs } = timedGraph({ chunks: 2, times: { A1: 1, E: 1, A2: 1 } });
  for (const timeLimit of [0, -1, NaN]) {
    assertThrows(
      () => exactSchedule(graph, costs, { timeLimit }),
      SchemoeError,
      "timeLimit must be a number",
    );
  }
  assertThrows(
    () => exactSchedule(graph, costs, { limit: 1 } as never),
    SchemoeError,
    '"limit" is not an option',
  );
  for (const wrong of [-1, NaN, Infinity, undefined]) {
    const seconds = (task: Task) => task.name === "E[1]" ? wrong as number : costs.seconds(task);
    assertThrows(
      () => exactSchedule(graph, { source: "test", seconds }),
      SchemoeError,
      `task E[1] costs ${wrong} s on rank 0`,
    );
  }
  const backwards = {
    ...graph,
    tasks: graph.tasks.map((task) => task.name === "E[0]" ? { ...task, after: [5] } : task),
  };
  assertThrows(
    () => exactSchedule(backwards, { source: "test", seconds: () => 1 }),
    SchemoeError,
    "task E[0] depends",
  );
});

Deno.test("exactSchedule() claims no proof for unequal ranks that share a processor", () => {
  const { graph, costs } = timedGraph({ chunks: 3, times: { A1: 1, E: 2, A2: 1 } });
  const sharing = { of: [0, 0], capacity: [1] };
  const shared = { ...graph, topology: topology({ nodes: 1, ranksPerNode: 2, sharing }) };
  const seconds = (task: Task, rank = 0) => costs.seconds(task) * (1 + rank);
  const unequal = exactSchedule(shared, { source: "test", seconds });
  assertEquals([unequal.proven, unequal.gap > 0], [false, true]);
  assertEquals(unequal.bound, lowerBound(shared, { source: "test", seconds }).seconds);
  // equal ranks run in step, each computation at half the speed
  const computation = timedGraph({ chunks: 3, times: { E: 2 } });
  const equal = exactSchedule(
    { ...computation.graph, topology: shared.topology },
    computation.costs,
  );
  assertEquals([equal.proven, equal.seconds], [true, 12]);
});

Deno.test("exactSchedule() claims no proof where overlapping tasks slow each other down", () => {
  const { graph, costs } = timedGraph({ chunks: 2, times: { A1: 1, E: 2, A2: 1 } });
  const world = (
    options: { contention?: { compute: number; communication: number }; nic?: { beta: number } },
  ) => topology({ nodes: 2, ranksPerNode: 2, ...options });
  const proven = (options: Parameters<typeof world>[0]) =>
    exactSchedule({ ...graph, topology: world(options) }, costs).proven;
  assertEquals(proven({}), true);
  assertEquals(proven({ contention: { compute: 1, communication: 1 } }), true);
  assertEquals(proven({ contention: { compute: 1.2, communication: 1 } }), false);
  assertEquals(proven({ nic: { beta: 1e-9 } }), false);
});
