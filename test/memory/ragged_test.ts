import { assert, assertEquals } from "@std/assert";
import { capacitySlices, type Chunk, peerGroups, topology } from "../../mod.ts";
import { resolveLayer } from "../../lib/blocks/mod.ts";
import { RaggedRows } from "../../lib/memory/ragged_rows.ts";
import { givenLoads, largestLoad } from "../../lib/chunking/loads.ts";

const world = topology({ nodes: 2, ranksPerNode: 2 });
const layer = resolveLayer(
  { tokens: 20, modelDim: 4, hiddenDim: 4, experts: 8, routing: { dropless: true } },
  world,
);
const loads = givenLoads(layer, [
  [20, 0, 0, 0, 0, 0, 0, 0],
  [3, 3, 3, 3, 2, 2, 2, 2],
  [0, 0, 0, 0, 0, 0, 1, 19],
  [5, 0, 5, 0, 5, 0, 5, 0],
]);
const capacity = largestLoad(loads);
const split = (chunking: { split: typeof capacityOf }) =>
  chunking.split({ capacity, topology: world, loads });
const capacityOf = capacitySlices(1).split;

const splits: Record<string, readonly Chunk[]> = {
  "one chunk": split(capacitySlices(1)),
  "3 slices": split(capacitySlices(3)),
  "as many slices as places": split(capacitySlices(20)),
  "2 groups of peers": split(peerGroups(2)),
  "4 groups of peers": split(peerGroups(4)),
};

for (const [name, chunks] of Object.entries(splits)) {
  Deno.test(`RaggedRows has every row once on both sides: ${name}`, () => {
    const rows = new RaggedRows({ layer, chunks, loads });
    for (let rank = 0; rank < 4; rank++) {
      const sent = new Set<number>();
      const held = new Set<number>();
      for (let chunk = 0; chunk < chunks.length; chunk++) {
        let arriving = 0;
        for (let peer = 0; peer < 4; peer++) {
          const { first, rows: count } = rows.slice(chunk, rank, peer);
          for (let row = first; row < first + count; row++) {
            assert(!sent.has(row));
            sent.add(row);
          }
          arriving += rows.slice(chunk, peer, rank).rows;
        }
        const ranges = rows.ranges(chunk, rank);
        assertEquals(ranges.reduce((sum, range) => sum + range.rows, 0), arriving);
        assert(rows.busiest(chunk) >= arriving);
        for (const { first, rows: count } of ranges) {
          for (let row = first; row < first + count; row++) {
            assert(!held.has(row));
            held.add(row);
          }
        }
      }
      assertEquals([...sent].toSorted((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
      const own = [0, 1, 2, 3].flatMap((source) =>
        [0, 1].map((e) => loads.table[source * 8 + 2 * rank + e])
      ).reduce((a, b) => a + b);
      assertEquals([...held].toSorted((a, b) => a - b), Array.from({ length: own }, (_, i) => i));
      assert(rows.room() >= own);
    }
  });
}

Deno.test("RaggedRows begins an expert where the one before ends, however a pass is split", () => {
  for (const chunks of Object.values(splits)) {
    const rows = new RaggedRows({ layer, chunks, loads });
    // Expert 0 gets 20 + 3 + 0 + 5 rows on rank 0.
    const first = chunks.map((_, chunk) => rows.ranges(chunk, 0)[1].first);
    assertEquals(Math.min(...first), 28);
  }
});
