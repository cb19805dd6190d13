import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { type AllToAll, BUILT_IN, topology } from "../../mod.ts";
import { buildProgram } from "../../lib/program/mod.ts";
import { GraphBuilder, sentBytes } from "../../lib/graph/mod.ts";
import { simulate } from "../../lib/engines/mod.ts";
import * as builtIn from "../../lib/alltoall/mod.ts";
import { allToAllFormulas } from "../../lib/tasks/bench/all_to_all_formulas.ts";

const powerOfTwo = (n: number) => (n & (n - 1)) === 0;

const named = Object.keys(allToAllFormulas(topology({ nodes: 2, ranksPerNode: 4 }), 1));

Deno.test("formulas are those of built-in all-to-alls, which need not have one", () => {
  assert(named.length >= 7, `${named}`);
  assertEquals(named.filter((name) => !BUILT_IN.allToAll.includes(name)), []);
});

for (const name of named) {
  Deno.test(`${name} moves the bytes and takes the time of its formula`, () => {
    const algorithm = (builtIn as unknown as Record<string, AllToAll>)[name];
    for (const [nodes, ranksPerNode] of [[2, 4], [4, 2], [2, 2], [3, 2], [2, 3], [3, 3]]) {
      const world = topology({ nodes, ranksPerNode, local: { beta: 1e-9 } });
      if (!powerOfTwo(world.ranks) && ["pairwise", "bruck"].includes(name)) continue;
      for (const sliceBytes of [1 << 8, 1 << 16]) {
        const g = new GraphBuilder(world, "forward", 1);
        const at = (buffer: string) => ({ buffer, offset: 0 });
        g.allToAll({
          label: "A",
          chunk: 0,
          stage: 0,
          after: [],
          algorithm,
          sliceBytes,
          scratch: "s",
          input: at("i"),
          output: at("o"),
        });
        const graph = g.build({});
        const { end } = simulate(buildProgram(graph, graph.tasks, "as added"), world);
        const expected = allToAllFormulas(world, sliceBytes)[name]!;
        const seconds = end.reduce((a, b) => Math.max(a, b)) / 1e9;
        assertAlmostEquals(seconds / expected.seconds, 1, 1e-9, `${nodes} x ${ranksPerNode}`);
        const sent = Array.from(
          { length: world.ranks },
          (_, rank) => graph.tasks.reduce((sum, task) => sum + sentBytes(task.transfers!(rank)), 0),
        );
        assertEquals(Math.max(...sent), expected.bytes);
      }
    }
  });
}
