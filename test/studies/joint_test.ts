import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { SchemoeError, testbed } from "../../mod.ts";
import type { TrafficMatrix } from "../../lib/alltoall/mod.ts";
import { compareJoint, jointGraph } from "../../lib/studies/mod.ts";
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
  for (const decomposition of ["at once", "ring", "matchings"] as const) {
    const options = world(3);
    const { traffic, topology: { ranks } } = options;
    const graph = jointGraph(options, decomposition);
    for (const [label, back] of [["A1", false], ["A2", true]] as const) {
      const tasks = graph.tasks.filter((task) => task.label === label);
      for (let from = 0; from < ranks; from++) {
        for (let to = 0; to < ranks; to++) {
          const sent = tasks.flatMap((task) => task.transfers!(from))
            .filter(({ kind, peer }) => kind !== "receive" && peer === to);
          const expected = back ? traffic.bytes(to, from) : traffic.bytes(from, to);
          assertEquals(sent.map(({ bytes }) => bytes), [expected]);
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
    for (const { decomposition, order, overBest } of rows) {
      const key = `${decomposition}, ${order}`;
      mean[key] = (mean[key] ?? 0) + overBest / SEEDS;
    }
  }
  assert(mean["matchings, joint"] < 1.06, JSON.stringify(mean));
  assert(mean["at once, exact"] > 1.1, JSON.stringify(mean));
  assert(mean["matchings, one after another"] > 1.3, JSON.stringify(mean));
});

Deno.test("compareJoint() refuses the traffic of another world", () => {
  const traffic = { ranks: 5, bytes: () => 1 };
  assertThrows(() => compareJoint({ ...world(1), traffic }), SchemoeError, "of 5 ranks");
});
