import { assertEquals } from "@std/assert";
import { type AllToAll, BUILT_IN, topology } from "../../mod.ts";
import * as builtIn from "../../lib/alltoall/mod.ts";

/** Runs a plan by hand with named slices and returns every rank's output. */
function execute(algorithm: AllToAll, nodes: number, ranksPerNode: number): string[][] {
  const world = topology({ nodes, ranksPerNode });
  const ranks = Array.from({ length: world.ranks }, (_, rank) => rank);
  const plans = ranks.map((rank) => algorithm.plan({ rank, topology: world }));
  const buffers = ranks.map((rank) => ({
    input: ranks.map((to) => `${rank}->${to}`),
    output: [] as string[],
    scratch: [] as string[],
  }));
  for (let phase = 0; phase < plans[0].length; phase++) {
    const mail = new Map<string, string[][]>();
    for (const rank of ranks) {
      for (const step of plans[rank][phase].steps) {
        if (step.kind !== "send") continue;
        const { buffer, index, count = 1 } = step.from;
        const key = `${rank}->${step.peer}`;
        mail.set(key, [...mail.get(key) ?? [], buffers[rank][buffer].slice(index, index + count)]);
      }
    }
    for (const rank of ranks) {
      for (const step of plans[rank][phase].steps) {
        if (step.kind === "send") continue;
        const slices = step.kind === "receive"
          ? mail.get(`${step.peer}->${rank}`)!.shift()!
          : buffers[rank][step.from.buffer].slice(
            step.from.index,
            step.from.index + (step.from.count ?? 1),
          );
        slices.forEach((slice, i) => buffers[rank][step.to.buffer][step.to.index + i] = slice);
      }
    }
    assertEquals([...mail.values()].flat(), []);
  }
  return buffers.map(({ output }) => output);
}

for (const name of BUILT_IN.allToAll) {
  Deno.test(`${name}.plan() brings slice j of rank i to slice i of rank j`, () => {
    const algorithm = (builtIn as unknown as Record<string, AllToAll>)[name];
    assertEquals(algorithm.name, name);
    for (const [nodes, ranksPerNode] of [[1, 1], [1, 4], [4, 1], [2, 2], [2, 3], [3, 2]]) {
      const ranks = Array.from({ length: nodes * ranksPerNode }, (_, rank) => rank);
      const expected = ranks.map((to) => ranks.map((from) => `${from}->${to}`));
      assertEquals(execute(algorithm, nodes, ranksPerNode), expected);
    }
  });
}
