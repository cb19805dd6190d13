import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { openEngine, SchemoeError, type TaskGraph, testbed, topology } from "../../mod.ts";
import type { TrafficMatrix } from "../../lib/alltoall/mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { loadsOf, trafficOfLoads, wavesOfLoads, zipfRouting } from "../../lib/routing/mod.ts";
import { compareJoint, jointGraph, type JointOptions } from "../../lib/studies/mod.ts";
import { uniforms } from "../../lib/random.ts";

/** Bytes of experts' work that take as long as their way over the network. */
const BALANCED = 657e12 / 48.5e9;

function world(seed: number) {
  const [nodes, ranksPerNode] = [3 + seed % 2, 1 + seed % 2];
  const { topology } = testbed("h200-ib400", { nodes, ranksPerNode });
  const uniform = uniforms(seed);
  const { ranks } = topology;
  const table = Float64Array.from(
    { length: ranks ** 2 },
    () => Math.floor(2e6 * uniform() ** 2) + 1,
  );
  const traffic: TrafficMatrix = { ranks, bytes: (from, to) => table[from * ranks + to] };
  return { topology, traffic, flopsPerByte: BALANCED * (0.6 + 2 * uniform()) };
}

Deno.test("jointGraph() moves each pair's bytes once out and once back, and computes what arrived", () => {
  for (const decomposition of ["at once", "ring", "matchings", "birkhoff"] as const) {
    const options = world(3);
    const { traffic, topology: { ranks } } = options;
    const graph = jointGraph(options, decomposition);
    assertInPlace(graph, options);
    for (const [label, back] of [["A1", false], ["A2", true]] as const) {
      const tasks = graph.tasks.filter((task) => task.label === label);
      for (let from = 0; from < ranks; from++) {
        for (let to = 0; to < ranks; to++) {
          const sent = tasks.flatMap((task) => task.transfers!(from))
            .filter(({ kind, peer }) => kind !== "receive" && peer === to);
          const expected = back ? traffic.bytes(to, from) : traffic.bytes(from, to);
          assertEquals(sent.reduce((sum, { bytes }) => sum + bytes, 0), expected);
          if (decomposition !== "birkhoff") assertEquals(sent.length, 1);
        }
      }
    }
    const experts = graph.tasks.filter(({ kind }) => kind === "expert");
    for (let rank = 0; rank < ranks; rank++) {
      let bytes = 0;
      for (let from = 0; from < ranks; from++) bytes += traffic.bytes(from, rank);
      const flops = experts.reduce((sum, task) => sum + task.rankFlops!(rank), 0);
      assertAlmostEquals(flops, bytes * options.flopsPerByte, 1e-6 * flops);
    }
  }
});

Deno.test("compareJoint(): stages beside their experts come near the best order, all at once does not", () => {
  const mean: Record<string, number> = {};
  const SEEDS = 8;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const rows = compareJoint(world(seed));
    const of = (decomposition: string, order: string) =>
      rows.find((row) => row.decomposition === decomposition && row.order === order)!;
    for (const { decomposition, overBound, overBest } of rows) {
      assert(overBound >= 1 - 1e-9 && overBest >= 1);
      const exact = of(decomposition, "exact");
      assert(!exact.proven || exact.seconds <= of(decomposition, "joint").seconds * (1 + 1e-9));
    }
    // of whole pairs: parts of pairs (birkhoff) are sometimes better, and often worse
    const whole = rows.filter(({ decomposition }) => decomposition !== "birkhoff");
    const best = Math.min(...whole.map(({ seconds }) => seconds));
    for (const { decomposition, order, seconds } of rows) {
      const overBest = seconds / best;
      const key = `${decomposition}, ${order}`;
      mean[key] = (mean[key] ?? 0) + overBest / SEEDS;
    }
  }
  assert(mean["matchings, joint"] < 1.06, JSON.stringify(mean));
  assert(mean["at once, exact"] > 1.1, JSON.stringify(mean));
  assert(mean["matchings, one after another"] > 1.3, JSON.stringify(mean));
});

Deno.test("waves are decomposed one by one, move all bytes once, and are compared with all at once", () => {
  const { topology } = testbed("h200-ib400", { nodes: 3, ranksPerNode: 2 });
  const trace = zipfRouting({ ranks: 6, tokens: 64, experts: 18, topK: 2, exponent: 0.8 });
  const loads = loadsOf(trace);
  const whole = trafficOfLoads(loads, 512);
  const waves = wavesOfLoads(loads, { waves: 2, bytesPerToken: 512 });
  for (let from = 0; from < 6; from++) {
    for (let to = 0; to < 6; to++) {
      const parts = waves.map((wave) => wave.bytes(from, to));
      assertEquals(parts.reduce((a, b) => a + b), whole.bytes(from, to));
    }
  }
  const options = { topology, traffic: waves, flopsPerByte: BALANCED };
  const graph = jointGraph(options, "matchings");
  assertInPlace(graph, { topology, traffic: whole });
  const rows = compareJoint(options);
  assertEquals(rows.length, 2 * 4 * 3);
  assertEquals([...new Set(rows.map(({ waves }) => waves))], [1, 2]);
  for (const bad of [0, 4, 1.5]) {
    assertThrows(
      () => wavesOfLoads(loads, { waves: bad, bytesPerToken: 1 }),
      SchemoeError,
      `${bad} of the 3 experts`,
    );
  }
  assertThrows(() => jointGraph({ ...options, traffic: [] }, "ring"), SchemoeError, "of no ranks");
});

Deno.test("the CPU engine brings every byte of a joint pass out and back", async () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const loads = loadsOf(zipfRouting({ ranks: 4, tokens: 40, experts: 8, topK: 2, exponent: 1 }));
  const traffic = wavesOfLoads(loads, { waves: 2, bytesPerToken: 16 });
  using engine = openEngine({ kind: "cpu", topology: world, links: "plain" });
  for (const decomposition of ["at once", "birkhoff"] as const) {
    const graph = jointGraph({ topology: world, traffic, flopsPerByte: 1 }, decomposition);
    const workspace = engine.workspace();
    workspace.ensure(graph.buffers);
    const sent = 40 * 2 * 16;
    const values = (rank: number) => new Uint8Array(sent).map((_, i) => 7 * rank + i);
    for (let rank = 0; rank < 4; rank++) workspace.write("input", rank, values(rank));
    await engine.run(buildProgram(graph, graph.tasks, "graph order"), workspace);
    for (let rank = 0; rank < 4; rank++) {
      assertEquals(workspace.read("returned", rank, sent), values(rank));
    }
    workspace.free();
  }
});

/** Bytes of each rank lie in `arrived` without gap or overlap, and come back to where they were. */
function assertInPlace(
  graph: TaskGraph,
  { topology: { ranks } }: Pick<JointOptions, "topology" | "traffic">,
): void {
  const buffers = { A1: ["input", "arrived"], A2: ["arrived", "returned"] } as const;
  for (const [label, [source, target]] of Object.entries(buffers)) {
    for (let rank = 0; rank < ranks; rank++) {
      const all = graph.tasks.filter((task) => task.label === label)
        .flatMap((task) => task.transfers!(rank));
      for (const [side, buffer] of [["from", source], ["to", target]] as const) {
        const views = all.flatMap((transfer) =>
          transfer[side] ? [{ ...transfer[side], bytes: transfer.bytes }] : []
        ).sort((a, b) => a.offset - b.offset);
        let end = 0;
        for (const view of views) {
          assertEquals([view.buffer, view.offset], [buffer, end]);
          end += view.bytes;
        }
        assert(end <= graph.buffers[buffer]);
      }
    }
  }
}

Deno.test("compareJoint() refuses the traffic of another world", () => {
  const traffic = { ranks: 5, bytes: () => 1 };
  assertThrows(() => compareJoint({ ...world(1), traffic }), SchemoeError, "of 5 ranks");
});
