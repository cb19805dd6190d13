import { assert, assertEquals } from "@std/assert";
import { createLayer, openEngine, testbed, topK, topology } from "../../mod.ts";
import { addAllReduce, addGather, addMaxReduce } from "../../lib/graph/reduce.ts";
import { GraphBuilder } from "../../lib/graph/mod.ts";
import { levelsOf } from "../../lib/graph/levels.ts";
import { modelCosts } from "../../lib/costs/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import type { Task } from "../../mod.ts";

const WORD = 4;

Deno.test("levelsOf() has levels whose sizes multiply to the ranks, few messages, and one level in small worlds", () => {
  const sizes = (nodes: number, ranksPerNode: number) =>
    levelsOf(topology({ nodes, ranksPerNode })).map(({ size }) => size);
  assertEquals(sizes(4, 4), [16]);
  assertEquals(sizes(1, 72), [72]);
  assertEquals(sizes(64, 1), [8, 8]);
  assertEquals(sizes(512, 8), [8, 8, 8, 8]);
  assertEquals(sizes(26, 8), [8, 2, 13]);
  for (const [nodes, ranksPerNode] of [[3, 8], [17, 2], [90, 4], [128, 8]]) {
    const product = sizes(nodes, ranksPerNode).reduce((a, b) => a * b);
    assertEquals(product, nodes * ranksPerNode);
  }
});

Deno.test("a sum of many bytes over 2 x 8 ranks sends between nodes what is left of it in a node", () => {
  const { topology: world } = testbed("h200-ib400", { nodes: 2, ranksPerNode: 8 });
  const { intra, inter, local } = world.links;
  const count = 1 << 24;
  const g = new GraphBuilder(world, "backward", 0);
  const [part, sum] = ["part", "sum"].map((name) => g.buffer(name, WORD * count, "state"));
  addAllReduce(g, { stage: 0, chunk: -1, after: [], name: "sum" }, { part, sum, count });
  const costs = modelCosts(world);
  const seconds = g.build({}).tasks.filter(({ kind }) => kind === "allReduce")
    .reduce((total, task) => total + costs.seconds(task, 0), 0);
  const [eighth, sixteenth] = [WORD * count / 8, WORD * count / 16];
  const hand = 2 * 7 * (intra.alpha + intra.beta * eighth) + local.beta * eighth +
    2 * (inter.alpha + inter.beta * sixteenth) + local.beta * sixteenth;
  assert(Math.abs(seconds / hand - 1) < 1e-9, `${seconds} is not ${hand}`);
  // few bytes are not worth the tasks
  assertEquals(levelsOf(world, (1 << 20) - 4).length, 1);
  assertEquals(levelsOf(world, 1 << 20).map(({ size }) => size), [8, 2]);
});

for (const [nodes, ranksPerNode] of [[2, 2], [3, 6], [9, 2], [22, 1]]) {
  const world = `${nodes} x ${ranksPerNode} ranks`;
  Deno.test(`reductions by levels add up, gather and find the largest on ${world}`, async () => {
    using engine = openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });
    const { ranks } = engine.topology;
    // the last of them is summed by levels in a small world too
    for (const count of ranks > 16 ? [1, 5, 64, 1000] : [5, 64, 1 << 18]) {
      const g = new GraphBuilder(engine.topology, "backward", 0);
      const part = g.buffer("part", WORD * count, "state");
      const sum = g.buffer("sum", WORD * count, "output");
      const all = g.buffer("all", WORD * count * ranks, "output");
      const max = g.buffer("max", WORD, "output");
      const place = { stage: 0, chunk: -1, after: [] };
      addAllReduce(g, { ...place, name: "sum" }, { part, sum, count });
      addGather(g, { ...place, name: "all" }, { part, all, count });
      addMaxReduce(g, { ...place, name: "max" }, { part, max });
      const graph = g.build({});
      const workspace = engine.workspace();
      workspace.ensure(graph.buffers);
      const values = Array.from({ length: ranks }, (_, rank) => {
        // the first is an integer for the largest, and small as a float
        const made = randomNormal(count, { seed: rank + 1 });
        new Int32Array(made.buffer)[0] = (7 * rank) % ranks;
        return made;
      });
      for (const [rank, part] of values.entries()) workspace.write("part", rank, part);
      await engine.run(buildProgram(graph, graph.tasks, "test"), workspace);
      const read = (name: string, rank: number, words: number) =>
        new Float32Array(workspace.read(name, rank, WORD * words).slice().buffer);
      const first = read("sum", 0, count);
      for (let i = 0; i < count; i++) {
        const right = values.reduce((total, part) => total + part[i], 0);
        assert(Math.abs(first[i] - right) < 1e-4, `${first[i]} is not ${right}`);
      }
      const everything = Float32Array.from(values.flatMap((part) => [...part]));
      for (let rank = 0; rank < ranks; rank++) {
        assertEquals(read("sum", rank, count), first);
        assertEquals(read("all", rank, count * ranks), everything);
        assertEquals(new Int32Array(read("max", rank, 1).buffer)[0], ranks - 1);
      }
    }
  });
}

Deno.test("a sum over 4,096 ranks takes what its levels take by hand", () => {
  const { topology: world } = testbed("h200-ib400", { nodes: 512, ranksPerNode: 8 });
  const { intra, inter, local } = world.links;
  const seconds = (count: number) => {
    const g = new GraphBuilder(world, "backward", 0);
    const [part, sum] = ["part", "sum"].map((name) => g.buffer(name, WORD * count, "state"));
    addAllReduce(g, { stage: 0, chunk: -1, after: [], name: "sum" }, { part, sum, count });
    const costs = modelCosts(world);
    const links = (task: Task) => task.kind === "allReduce" ? costs.seconds(task, 0) : 0;
    return g.build({}).tasks.reduce((total, task) => total + links(task), 0);
  };
  const count = 1 << 20;
  const share = (level: number) => WORD * count / 8 ** level;
  let hand = 0;
  for (let level = 1; level <= 4; level++) {
    const { alpha, beta } = level === 1 ? intra : inter;
    hand += 2 * 7 * (alpha + beta * share(level)) + local.beta * share(level);
  }
  assert(Math.abs(seconds(count) / hand - 1) < 1e-9, `${seconds(count)} is not ${hand}`);
  // 128 numbers, such as the loads of a balance loss: starts of 56 messages, not of 8,190
  assert(seconds(128) < 2 * 7 * (intra.alpha + 3 * inter.alpha) * 1.01);
});

Deno.test("gradients of 18 copies of experts are summed by levels to what 3 groups of theirs sum to", async () => {
  const sizes = { tokens: 8, modelDim: 8, hiddenDim: 12, gate: topK({ k: 1 }) };
  const gradients = async (nodes: number, ranksPerNode: number, expert: number) => {
    using engine = openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });
    const { ranks } = engine.topology;
    const routing = { dropless: true };
    using layer = createLayer(engine, { ...sizes, experts: 2, parallel: { expert }, routing });
    const x = Float32Array.from({ length: ranks * 8 * 8 }, (_, i) => Math.sin(i + 1));
    await layer.forward({ x });
    const run = await layer.backward({ dy: x.map((value) => value * value) });
    const names = run.ran!.at(-1)!.program.graph.tasks.map(({ name }) => name);
    return { values: run.gradients!["experts.w1"], names };
  };
  const direct = await gradients(1, 18, 2);
  for (const [nodes, ranksPerNode, expert] of [[18, 1, 1], [9, 2, 1], [6, 3, 1]]) {
    const { values, names } = await gradients(nodes, ranksPerNode, expert);
    assert(names.includes("grad.experts AR1 level 2"), names.join());
    const most = direct.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [i, value] of values.entries()) {
      assert(
        Math.abs(value - direct.values[i]) < 1e-5 * most,
        `${value} is not ${direct.values[i]}`,
      );
    }
  }
});
