import { assert, assertEquals } from "@std/assert";
import {
  type AllToAll,
  createLayer,
  openEngine,
  pipe,
  type Scheduler,
  type Task,
  topK,
  topology,
} from "../../mod.ts";
import { countTransfers, trafficOf, trafficSeconds, transferSeconds } from "../../lib/costs/mod.ts";
import { PROVEN_RANKS } from "../../lib/alltoall/known.ts";

const sizes = { tokens: 64, modelDim: 16, hiddenDim: 16, experts: 16, gate: topK({ k: 2 }) };

Deno.test("largeTraffic() makes the plans of a large world once for all chunks, ways and passes of a layer", async () => {
  const world = topology({ nodes: 65, ranksPerNode: 8 });
  using engine = openEngine({ kind: "simulate", topology: world });
  for (const routing of [{}, { dropless: true }]) {
    let made = 0;
    const counted: AllToAll = { name: "counted", plan: (at) => (made++, pipe.plan(at)) };
    using layer = createLayer(engine, { ...sizes, routing, parallel: { expert: 8 } });
    const choices = { scheduler: "optSche", allToAll: counted, chunks: 4 };
    await layer.forward(choices);
    await layer.backward(choices);
    assert(made < 2 * world.ranks, `${made} plans of ${world.ranks} ranks`);
  }
});

Deno.test("largeTraffic() prices what the transfers move, of slices of one size and of others", async () => {
  const world = topology({ nodes: 33, ranksPerNode: 8 });
  assert(world.ranks > PROVEN_RANKS);
  using engine = openEngine({ kind: "simulate", topology: world });
  // 64 tokens are as many for each of 16 experts, 60 are not
  for (const tokens of [64, 60]) {
    for (const compressor of ["none", "int8"]) {
      using layer = createLayer(engine, {
        ...sizes,
        tokens,
        routing: { dropless: true },
        parallel: { expert: 8 },
      });
      let tasks: readonly Task[] = [];
      const scheduler: Scheduler = { name: "kept", order: (graph) => [...tasks = graph.tasks] };
      await layer.forward({ scheduler, allToAll: pipe, compressor, chunks: 3 });
      for (const task of tasks.filter(({ kind }) => kind === "allToAll")) {
        const { pattern, sliceBytes } = trafficOf(world, task);
        for (const rank of [0, 7, 8, 100, 263]) {
          const transfers = task.transfers!(rank);
          assertEquals(
            trafficSeconds(world, pattern.of(rank), sliceBytes),
            transferSeconds(world, rank, transfers),
          );
          const { intra, inter } = pattern.of(rank);
          const listed = countTransfers(world, rank, transfers);
          assertEquals([intra.sends, inter.sends], [listed.intra.sends, listed.inter.sends]);
          assertEquals(
            sliceBytes * (intra.sent + inter.sent),
            listed.intra.sent + listed.inter.sent,
          );
        }
      }
    }
  }
});
