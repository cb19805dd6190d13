import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLayer, fsMoE, openEngine, SchemoeError } from "../../mod.ts";
import { timedGraph } from "../../lib/graph/mod.ts";
import { fsMoeChunks } from "../../lib/schedulers/mod.ts";

const none = { alpha: 0, work: 0 };

Deno.test("fsMoeChunks() predicts each of the four cases", () => {
  const stage = (seconds: number) => ({ alpha: seconds, work: 0 });
  const at1 = (times: { a: number; g: number; s: number; e: number; allReduce?: number }) =>
    fsMoeChunks({
      allToAll: stage(times.a),
      allGather: stage(times.g),
      reduceScatter: stage(times.s),
      expert: stage(times.e),
      allReduce: times.allReduce,
      most: 1,
    });
  assertEquals(at1({ a: 3, g: 1, s: 2, e: 0 }).forward, { chunks: 1, seconds: 9, limit: "inter" });
  assertEquals(at1({ a: 3, g: 1, s: 2, e: 4 }).forward, {
    chunks: 1,
    seconds: 13,
    limit: "expert",
  });
  assertEquals(at1({ a: 3, g: 1, s: 2, e: 4 }).backward, {
    chunks: 1,
    seconds: 17,
    limit: "expert",
  });
  assertEquals(at1({ a: 3, g: 1, s: 2, e: 4, allReduce: 50 }).backward, {
    chunks: 1,
    seconds: 56,
    limit: "allReduce",
  });
  assertEquals(at1({ a: 3, g: 1, s: 2, e: 4, allReduce: 50 }).forward.seconds, 13);
});

Deno.test("fsMoeChunks() balances start-ups against the ends that nothing hides", () => {
  // intra limits: 2 (8 / r) + r (1 + 1) + 32, least at r = sqrt(8)
  const intra = { alpha: 1, work: 16 };
  const times = {
    allToAll: { alpha: 0, work: 8 },
    allGather: intra,
    reduceScatter: intra,
    expert: none,
  };
  assertEquals(fsMoeChunks(times).forward, { chunks: 3, seconds: 16 / 3 + 38, limit: "intra" });
});

Deno.test("fsMoeChunks() splits the passes into different numbers of chunks", () => {
  const times = { allToAll: { alpha: 1, work: 8 }, allGather: none, reduceScatter: none };
  const { forward, backward } = fsMoeChunks({ ...times, expert: { alpha: 0.1, work: 6 } });
  // 2 r + 16 against 2 + 16 / r + 0.1 r + 6 forward, 2 + 16 / r + 0.2 r + 12 backward
  assertEquals([forward.chunks, backward.chunks], [2, 3]);
});

Deno.test("fsMoeChunks() names the time that is wrong", () => {
  const times = { allToAll: none, allGather: none, reduceScatter: none, expert: none };
  assertThrows(
    () => fsMoeChunks({ ...times, reduceScatter: { alpha: -1, work: 0 } }),
    SchemoeError,
    "reduceScatter.alpha is -1",
  );
  assertThrows(
    () => fsMoeChunks({ ...times, allReduce: NaN }),
    SchemoeError,
    "allReduce.alpha is NaN",
  );
});

Deno.test("fsMoE runs the gradient's all-reduce between the two directions of the inter lane", () => {
  const exchange = { intra: 1, inter: 1, chained: true };
  const { graph, costs } = timedGraph({
    pass: "backward",
    chunks: 2,
    times: { A1: exchange, Ei: 1, Ew: 1, A2: exchange },
    gate: { compute: 1, allReduce: 1 },
  });
  const order = fsMoE.order(graph, costs) as typeof graph.tasks;
  const names = (lane: string) =>
    order.filter((task) => task.lane === lane).map(({ name }) => name).join(" ");
  assertEquals(names("inter"), "A1[0] inter A1[1] inter AR A2[0] inter A2[1] inter");
  assertEquals(names("intra"), "A1[0] intra A1[1] intra A2[0] intra A2[1] intra");
});

Deno.test("fsMoE hides more than one chunk at a time does, in both passes", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, { tokens: 512, modelDim: 128, hiddenDim: 256, experts: 8 });
  for (const pass of ["forward", "backward"] as const) {
    const choices = { allToAll: "hierarchical2d", chunks: 4 };
    const fast = await layer[pass]({ ...choices, scheduler: "fsMoE" });
    const slow = await layer[pass]({ ...choices, scheduler: "sequential" });
    assert(fast.makespan < 0.9 * slow.makespan, `${fast.makespan} and ${slow.makespan}`);
  }
});
