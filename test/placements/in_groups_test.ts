import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLayer, openEngine, topK } from "../../mod.ts";
import { SchemoeError } from "../../lib/types.ts";
import {
  eplb,
  identityPlacement,
  placementInGroups,
  rankLoads,
  trafficOfPlacement,
} from "../../lib/placements/mod.ts";
import { loadsOf, trafficOfLoads, zipfRouting } from "../../lib/routing/mod.ts";

const loads = loadsOf(zipfRouting({ ranks: 8, tokens: 256, experts: 16, topK: 2, exponent: 1.1 }));
const balanced = placementInGroups(loads, {
  expert: 4,
  place: (group) => eplb(group, { nodes: 1, ranksPerNode: 4 }, { slotsPerRank: 6 }),
});

Deno.test("placementInGroups() makes each group's placement by the loads of its own ranks", () => {
  assertEquals(balanced.name, "eplb");
  for (const first of [0, 4]) {
    const own = { ...loads, ranks: 4, table: loads.table.slice(16 * first, 16 * (first + 4)) };
    const alone = eplb(own, { nodes: 1, ranksPerNode: 4 }, { slotsPerRank: 6 });
    assertEquals(balanced.slots.slice(first, first + 4), alone.slots);
    const computed = rankLoads(loads, balanced, { expert: 4 }).slice(first, first + 4);
    assertEquals(computed, rankLoads(own, alone));
  }
});

Deno.test("loads and traffic in groups are those of equal runs where experts lie so", () => {
  const place = () => identityPlacement(16, 4);
  const placement = placementInGroups(loads, { expert: 4, place });
  const options = { ranksPerNode: 2, bytesPerToken: 10, expert: 4 };
  const [got, right] = [
    trafficOfPlacement(loads, placement, options),
    trafficOfLoads(loads, 10, { expert: 4 }),
  ];
  const pairs = Array.from({ length: 64 }, (_, i) => [i >> 3, i & 7] as const);
  assertEquals(
    pairs.map(([from, to]) => got.bytes(from, to)),
    pairs.map(([from, to]) => right.bytes(from, to)),
  );
});

Deno.test("a simulated layer in groups computes what its placement says", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
  const sizes = { tokens: 256, modelDim: 64, hiddenDim: 128, experts: 16, gate: topK({ k: 2 }) };
  const config = { ...sizes, routing: { dropless: true }, parallel: { expert: 4 } };
  const most = async (placement?: typeof balanced) => {
    using layer = createLayer(engine, { ...config, placement });
    const { timeline } = await layer.forward({ loads });
    const rows = timeline.objects() as { rank: number; kind: string; flops: number }[];
    const experts = rows.filter(({ kind }) => kind === "expert");
    return Array.from(
      { length: 8 },
      (_, rank) =>
        experts.filter((row) => row.rank === rank).reduce((sum, { flops }) => sum + flops, 0),
    );
  };
  const computed = rankLoads(loads, balanced, { ranksPerNode: 4, expert: 4 });
  assertEquals(await most(balanced), Array.from(computed, (tokens) => tokens * 4 * 64 * 128));
  assert(Math.max(...await most(balanced)) < Math.max(...await most()));
});

Deno.test("placementInGroups() refuses groups that do not fit", () => {
  const refused = (expert: number, ranks: number, message: string) =>
    assertThrows(
      () => placementInGroups(loads, { expert, place: () => identityPlacement(16, ranks) }),
      SchemoeError,
      message,
    );
  refused(3, 3, "groups of 3 ranks do not divide the 8 of the loads");
  refused(4, 2, "that of group 0 is for 2 ranks and 16 experts, the group has 4 and 16");
  assertThrows(
    () =>
      rankLoads(loads, eplb(loads, { nodes: 1, ranksPerNode: 8 }, { slotsPerRank: 2 }), {
        expert: 4,
      }),
    SchemoeError,
    "on no rank of the group of rank",
  );
});
