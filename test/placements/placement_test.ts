import { assert, assertEquals, assertThrows } from "@std/assert";
import { SchemoeError, testbed } from "../../mod.ts";
import {
  eplb,
  identityPlacement,
  placementMoves,
  rankLoads,
  shadowed,
  trafficOfPlacement,
} from "../../lib/placements/mod.ts";
import { loadsOf, trafficOfLoads, zipfRouting } from "../../lib/routing/mod.ts";
import { allToAllBound } from "../../lib/alltoall/mod.ts";

const SIZES = { ranks: 16, tokens: 1024, experts: 64, topK: 4, exponent: 1, seed: 3 };
const loads = loadsOf(zipfRouting(SIZES));
const world = { nodes: 2, ranksPerNode: 8 };
const most = (values: Float64Array) => values.reduce((a, b) => Math.max(a, b));
const sum = (values: Float64Array) => values.reduce((a, b) => a + b);

Deno.test("identityPlacement() gives the traffic of the loads", () => {
  const placement = identityPlacement(64, 16);
  const placed = trafficOfPlacement(loads, placement, { ranksPerNode: 8, bytesPerToken: 8 });
  const plain = trafficOfLoads(loads, 8);
  for (let i = 0; i < 256; i++) {
    assertEquals(placed.bytes(i >> 4, i & 15), plain.bytes(i >> 4, i & 15));
  }
});

Deno.test("eplb() fills all slots, keeps every expert and balances ranks and nodes", () => {
  const placement = eplb(loads, world, { slotsPerRank: 6 });
  assertEquals(placement.slots.map(({ length }) => length), Array(16).fill(6));
  assertEquals(new Set(placement.slots.flat()).size, 64);
  for (const own of placement.slots) assertEquals(new Set(own).size, own.length);
  const mean = sum(Float64Array.from(loads.table)) / 16;
  const [before, after] = [identityPlacement(64, 16), placement].map((p) =>
    rankLoads(loads, p, { ranksPerNode: 8 })
  );
  assertEquals(sum(after), sum(before));
  assert(
    most(before) / mean > 2 && most(after) / mean < 1.6,
    `${most(before)} ${most(after)} ${mean}`,
  );
  const { topology } = testbed("h200-ib400", world);
  const bound = (p: typeof placement) =>
    allToAllBound(
      topology,
      trafficOfPlacement(loads, p, { ranksPerNode: 8, bytesPerToken: 8192 }),
    );
  assert(bound(placement) <= bound(identityPlacement(64, 16)));
});

Deno.test("eplb() without spare slots is a permutation, with equal loads too", () => {
  const even = { ranks: 4, experts: 8, table: new Int32Array(32).fill(5) };
  const { slots } = eplb(even, { nodes: 2, ranksPerNode: 2 }, { slotsPerRank: 2 });
  assertEquals(slots.flat().toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7]);
  const full = eplb(even, { nodes: 2, ranksPerNode: 2 }, { slotsPerRank: 9 });
  for (const own of full.slots) assertEquals(own.length, 4, "no rank holds an expert twice");
});

Deno.test("shadowed() copies an expert to all ranks exactly when its tokens take more bytes", () => {
  const table = Int32Array.from([0, 9, 0, 0, 9, 1, 1, 0]);
  const hot = shadowed({ ranks: 2, experts: 4, table }, { expert: 17, token: 1 });
  // experts 0 and 1 are on rank 0: 9 tokens of rank 1 for expert 0 take 36 bytes, an expert there and back 34
  assertEquals(hot.slots, [[0, 1], [0, 2, 3]]);
  assertEquals(
    shadowed({ ranks: 2, experts: 4, table }, { expert: 18, token: 1 }).slots,
    identityPlacement(4, 2).slots,
  );
});

Deno.test("tokens are dealt out to copies near by: own, then the node's, then all", () => {
  const table = Int32Array.from([7, 7, 7, 7]);
  const one = { ranks: 4, experts: 1, table };
  const placement = { name: "hand", experts: 1, slots: [[0], [], [0], []] };
  const traffic = trafficOfPlacement(one, placement, { ranksPerNode: 2, bytesPerToken: 1 });
  const row = (rank: number) => [0, 1, 2, 3].map((to) => traffic.bytes(rank, to));
  assertEquals([row(0), row(1), row(2), row(3)], [
    [7, 0, 0, 0],
    [7, 0, 0, 0],
    [0, 0, 7, 0],
    [0, 0, 7, 0],
  ]);
  const far = trafficOfPlacement(one, placement, { ranksPerNode: 1, bytesPerToken: 1 });
  assertEquals([0, 2].map((to) => far.bytes(1, to)), [3, 4]);
});

Deno.test("placementMoves() fetches what is missing, from the own node if it can", () => {
  const before = { name: "before", experts: 2, slots: [[0], [1], [0], [1]] };
  const after = { name: "after", experts: 2, slots: [[0, 1], [1], [1], [1]] };
  const moves = placementMoves(before, after, { ranksPerNode: 2, expertBytes: 10 });
  assertEquals([moves.bytes(1, 0), moves.bytes(3, 2), moves.bytes(1, 2)], [10, 10, 0]);
});

Deno.test("placements name what is wrong", () => {
  const fails = (run: () => unknown, part: string) => assertThrows(run, SchemoeError, part);
  fails(() => identityPlacement(8, 3), "3 ranks do not divide 8 experts");
  fails(() => eplb(loads, { nodes: 3, ranksPerNode: 1 }, { slotsPerRank: 2 }), "3 nodes do not");
  fails(() => eplb(loads, world, { slotsPerRank: 3 }), "3 slots a rank hold fewer than the 32");
  const slots = { slotsPerRank: 5, slotPerRank: 4 };
  fails(() => eplb(loads, world, slots), '"slotPerRank" is not an option (slotsPerRank); did you');
  fails(() => rankLoads(loads, identityPlacement(64, 8)), "it is for 8 ranks and 64 experts");
  const none = { name: "none", experts: 1, slots: [[]] };
  fails(
    () => rankLoads({ ranks: 1, experts: 1, table: Int32Array.of(1) }, none),
    "expert 0 is on no rank",
  );
});
