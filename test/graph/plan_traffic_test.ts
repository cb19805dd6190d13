import { assert, assertEquals, assertThrows } from "@std/assert";
import { type AllToAll, linear, SchemoeError, topology } from "../../mod.ts";
import { countTransfers, peersOf, trafficOf } from "../../lib/costs/mod.ts";
import { planTraffic } from "../../lib/graph/plan_traffic.ts";
import { algorithmsFor, passes } from "../engines/simulate_worlds.ts";

Deno.test("traffic of every communication task is what its transfers add up to", () => {
  let compared = 0;
  for (const [nodes, ranksPerNode] of [[1, 1], [1, 4], [3, 2], [2, 4], [4, 3]]) {
    const world = topology({ nodes, ranksPerNode });
    for (const algorithm of algorithmsFor(world)) {
      const programs = [
        ...passes(world, algorithm, { chunks: 1 }),
        // slices of one size that do not follow each other: each is a message of its own
        ...passes(world, algorithm, { waves: 2 }),
      ];
      for (const { graph } of programs) {
        for (const task of graph.tasks.filter(({ transfers }) => transfers)) {
          const { pattern, sliceBytes } = trafficOf(world, task);
          for (let rank = 0; rank < world.ranks; rank++) {
            const transfers = task.transfers!(rank);
            const { copied, intra, inter } = pattern.of(rank);
            const bytes = (link: typeof intra) => ({
              sends: link.sends,
              sent: link.sent * sliceBytes,
              receives: link.receives,
              received: link.received * sliceBytes,
            });
            assertEquals(
              { copied: copied * sliceBytes, intra: bytes(intra), inter: bytes(inter) },
              countTransfers(world, rank, transfers),
              `${algorithm.name}: ${task.name} on rank ${rank}`,
            );
            assertEquals(Array.from(pattern.peers(rank)), Array.from(peersOf(rank, transfers)));
            compared++;
          }
          assertEquals(
            task.bytes,
            Math.max(...Array.from({ length: world.ranks }, (_, rank) => {
              const { intra, inter } = pattern.of(rank);
              return (intra.sent + inter.sent) * sliceBytes;
            })),
          );
        }
      }
    }
  }
  assert(compared > 1000);
});

Deno.test("planTraffic() plans each rank of a large world once while it is asked in turn", () => {
  const world = topology({ nodes: 64, ranksPerNode: 16 });
  let plans = 0;
  const plan = (rank: number) => {
    plans++;
    return linear.plan({ rank, topology: world });
  };
  const [pattern] = planTraffic({ ...linear }, world, { plan });
  for (let rank = 0; rank < 32; rank++) {
    assertEquals(pattern.of(rank).inter.sends, 1008);
    assertEquals(pattern.peers(rank).length, 1023);
  }
  assertEquals(plans, 33);
});

Deno.test("planTraffic() names a peer that does not exist", () => {
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  const broken: AllToAll = {
    name: "broken",
    plan: () => [{
      lane: "intra",
      steps: [{ kind: "send", from: { buffer: "input", index: 0 }, peer: 5 }],
    }],
  };
  const [pattern] = planTraffic(broken, world, {
    plan: (rank) => broken.plan({ rank, topology: world }),
  });
  assertThrows(() => pattern.of(1), SchemoeError, 'all-to-all "broken": rank 1 has no peer 5');
});
