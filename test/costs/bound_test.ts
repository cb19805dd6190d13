import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { oneMachineBound, sharedMachineBound } from "../../lib/costs/bound_machine.ts";
import { createLayer, openEngine, SchemoeError, type Task, topology } from "../../mod.ts";
import { timedGraph } from "../../lib/graph/mod.ts";
import { lowerBound } from "../../lib/costs/mod.ts";
import { simulate } from "../../lib/engines/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { checkSimulated } from "../../lib/tasks/bench/exact_checks.ts";
import { randomNumbers } from "../../lib/tasks/bench/exact_instances.ts";

/** The largest over all sets of jobs of least head + sum + least tail. */
function bySubsets(head: number[], seconds: number[], tail: number[]): number {
  let most = 0;
  for (let set = 1; set < 1 << head.length; set++) {
    const jobs = head.map((_, i) => i).filter((i) => set >> i & 1);
    const least = (values: number[]) => Math.min(...jobs.map((i) => values[i]));
    most = Math.max(most, least(head) + jobs.reduce((sum, i) => sum + seconds[i], 0) + least(tail));
  }
  return most;
}

Deno.test("oneMachineBound() is the largest over all sets of jobs", () => {
  const random = randomNumbers(1);
  for (let i = 0; i < 300; i++) {
    const digits = () => Array.from({ length: 1 + i % 8 }, () => Math.floor(10 * random()));
    const [head, tail, seconds] = [digits(), digits(), digits()];
    const jobs = {
      head: Float64Array.from(head),
      seconds: Float64Array.from(seconds),
      tail: Float64Array.from(tail),
    };
    assertEquals(oneMachineBound(jobs), bySubsets(head, seconds, tail));
    const shared = sharedMachineBound(jobs, 1);
    assert(shared <= bySubsets(head, seconds, tail), "more than one machine needs");
    assert(
      shared >= Math.max(...seconds.map((s, j) => s + head[j] + tail[j])) - 10,
      "no bound at all",
    );
  }
});

Deno.test("lowerBound() counts what comes before and after a lane", () => {
  // the inter lane works 2 (1 + 3) s; before it C1 takes 1 s, after it D2 2 s
  const { graph, costs } = timedGraph({ chunks: 2, times: { C1: 1, A1: 1, A2: 3, D2: 2 } });
  assertEquals(lowerBound(graph, costs), { seconds: 11, limit: "inter lane of rank 0" });
});

Deno.test("lowerBound() names the longest chain where that is the limit", () => {
  const { graph, costs } = timedGraph({ chunks: 1, times: { C1: 1, A1: 2, E: 3, A2: 4 } });
  assertEquals(lowerBound(graph, costs), { seconds: 10, limit: "longest chain of rank 0" });
});

Deno.test("lowerBound() counts a processor's ranks together, with heads and tails", () => {
  const { graph, costs } = timedGraph({ chunks: 2, times: { A1: 1, E: 2, A2: 1 } });
  const world = topology({
    nodes: 1,
    ranksPerNode: 4,
    sharing: { of: [0, 0, 0, 0], capacity: [2] },
  });
  // 4 ranks x 2 x 2 s on two at once, 1 s before and after
  assertEquals(lowerBound({ ...graph, topology: world }, costs), {
    seconds: 10,
    limit: "processor 0",
  });
});

Deno.test("lowerBound() counts transfers that need processors among their work", () => {
  const { graph, costs } = timedGraph({ chunks: 2, times: { A1: 1, E: 2, A2: 1 } });
  const sharing = {
    of: [0, 0, 0, 0],
    capacity: [1],
    turns: { slice: 1, transfers: "first" as const },
  };
  const world = topology({ nodes: 1, ranksPerNode: 4, sharing });
  // 4 ranks x 2 x (1 + 2 + 1) s on one processor
  assertEquals(lowerBound({ ...graph, topology: world }, costs).seconds, 32);
});

Deno.test("lowerBound() is below runs whose small tasks lie beside each other in a queue, and above what they need", () => {
  const random = randomNumbers(9);
  for (let i = 0; i < 40; i++) {
    const times = { C1: random(), A1: random(), D1: random(), E: 4 * random(), A2: random() };
    const { graph, costs } = timedGraph({ chunks: 1 + i % 4, times });
    const sharing = {
      of: [0, 0, 0, 0],
      capacity: [1],
      turns: { count: 1, ...(i % 2 ? { transfers: "inTurn" as const } : {}) },
    };
    const world = topology({ nodes: 1, ranksPerNode: 4, sharing });
    const [small, large] = [0.1 + 0.5 * random(), 0.5 + random()];
    const width = ({ kind }: Task) => kind === "expert" ? large : small;
    const of = { source: "test", seconds: (task: Task) => costs.seconds(task), width };
    const whole = { ...graph, topology: world };
    const { seconds, limit } = lowerBound(whole, of);
    const program = buildProgram(whole, [...graph.tasks], "test");
    const { end } = simulate(program, world, { costs: of });
    const makespan = 1e-9 * end.reduce((most, time) => Math.max(most, time), 0);
    assert(seconds <= makespan * (1 + 1e-6), `${i}: ${limit} of ${seconds} above ${makespan}`);
    // of experts alone 4 ranks need so much of the one processor
    assert(
      seconds >= 4 * Math.min(1, large) * times.E * (1 - 1e-9) * (1 + i % 4),
      `${i}: ${limit}`,
    );
  }
});

Deno.test("lowerBound() takes the slowest of ranks that differ", () => {
  const { graph, costs } = timedGraph({ chunks: 2, times: { A1: 1, E: 2, A2: 1 } });
  const world = topology({ nodes: 1, ranksPerNode: 8 });
  const seconds = (task: Task, rank = 0) => costs.seconds(task) * (rank === 5 ? 2 : 1);
  const bound = lowerBound({ ...graph, topology: world }, { source: "test", seconds });
  assertAlmostEquals(bound.seconds, 12, 1e-12);
  assert(bound.limit.endsWith("of rank 5"), bound.limit);
});

Deno.test("lowerBound() is below every simulated run, with shared processors or without", async () => {
  const random = randomNumbers(3);
  const among = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)];
  for (let i = 0; i < 25; i++) {
    const [nodes, ranksPerNode] = [among([1, 2]), among([1, 2, 4])];
    const sharing = random() < 0.5
      ? {
        of: Array.from({ length: nodes * ranksPerNode }, (_, r) => r % 2),
        capacity: [among([1, 2]), 1.5],
        ...(random() < 0.5
          ? {
            turns: { slice: among([1e-5, 1e-3]), transfers: among(["first", "inTurn"] as const) },
          }
          : {}),
      }
      : undefined;
    const inter = { alpha: 1e-5, beta: among([1, 10, 100]) * 1e-9 };
    using engine = openEngine({
      kind: "simulate",
      topology: topology({ nodes, ranksPerNode, inter, sharing }),
    });
    const layer = createLayer(engine, { tokens: 64, modelDim: 64, hiddenDim: 64, experts: 8 });
    const choices = {
      scheduler: among(["sequential", "optSche", "exact", "fsMoE"]),
      allToAll: among(["linear", "pipe"]),
      compressor: among(["none", "int8"]),
      chunks: among([1, 2, 5]),
    };
    for (const pass of ["forward", "backward"] as const) {
      const { bound, makespan } = await layer[pass](choices);
      assert(
        bound! > 0 && bound! <= makespan * (1 + 1e-9),
        `${bound} above ${makespan}: ${JSON.stringify(choices)}`,
      );
    }
  }
});

Deno.test("lowerBound() is below simulated runs of ranks that differ and share processors", () => {
  assertEquals(checkSimulated({ count: 200, seed: 16 }).failures, []);
});

Deno.test("lowerBound() names a task whose cost is wrong, and its rank", () => {
  const { graph } = timedGraph({ chunks: 2, times: { A1: 1, E: 2, A2: 1 } });
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  for (const wrong of [-1e-9, NaN, Infinity, undefined, "1"]) {
    const seconds = (task: Task, rank?: number) =>
      task.name === "A2[1]" && rank === 1 ? wrong as number : 1;
    assertThrows(
      () => lowerBound({ ...graph, topology: world }, { source: "test", seconds }),
      SchemoeError,
      `Cannot bound the graph: task A2[1] costs ${wrong} s on rank 1`,
    );
  }
});
