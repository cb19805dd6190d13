import { assertEquals, assertThrows } from "@std/assert";
import { SchemoeError, topology } from "../../mod.ts";
import { capacitySlices } from "../../lib/chunking/mod.ts";

const world = topology({ nodes: 1, ranksPerNode: 2 });
const begins = (chunks: number, multiple: number, capacity: number) =>
  capacitySlices(chunks, multiple).split({ capacity, topology: world }).map(({ begin }) => begin);

Deno.test("capacitySlices() cuts at multiples of rows where there are enough of them", () => {
  assertEquals(begins(3, 1, 10), [0, 3, 6]);
  assertEquals(begins(3, 4, 10), [0, 4, 8]);
  assertEquals(begins(2, 4, 30), [0, 16]);
  assertEquals(begins(4, 4, 10), begins(4, 1, 10));
  assertEquals(capacitySlices(2, 4).split({ capacity: 30, topology: world }).at(-1)!.end, 30);
});

Deno.test("capacitySlices() cuts loads at multiples of rows too", () => {
  const loads = { ranks: 2, experts: 2, table: Int32Array.of(20, 3, 9, 4) };
  for (const chunks of [1, 2, 3, 4, 5]) {
    const slices = capacitySlices(chunks, 4).split({ capacity: 20, topology: world, loads });
    assertEquals(slices.length, chunks);
    assertEquals([slices[0].begin, slices.at(-1)!.end], [0, 20]);
    for (const { begin, end } of slices) assertEquals([begin % 4, end > begin], [0, true]);
  }
  assertThrows(
    () => capacitySlices(21, 4).split({ capacity: 20, topology: world }),
    SchemoeError,
    "chunks must be an integer from 1 to the capacity 20",
  );
});

Deno.test("capacitySlices() gives the busiest rank about as many rows in each chunk", () => {
  // expert 0 gets 8 rows of rank 0 and 2 of rank 1: before place p there are min(8, p) + min(2, p)
  const loads = { ranks: 2, experts: 2, table: Int32Array.of(8, 1, 2, 1) };
  const cuts = (chunks: number) =>
    capacitySlices(chunks).split({ capacity: 8, topology: world, loads }).map(({ begin }) => begin);
  assertEquals(cuts(2), [0, 3]);
  assertEquals(cuts(3), [0, 2, 5]);
  assertEquals(cuts(8), [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("capacitySlices() gives fewer chunks where a gate chose fewer rows, and refuses them elsewhere", () => {
  const loads = { ranks: 2, experts: 2, table: Int32Array.of(3, 0, 1, 2) };
  const at = { capacity: 3, topology: world, loads, routed: true };
  assertEquals(capacitySlices(4).split(at), capacitySlices(3).split(at));
  const equal = { capacity: 3, topology: world, routed: true };
  assertEquals(capacitySlices(4).split(equal), capacitySlices(3).split(equal));
  assertEquals(capacitySlices(2).split(at).length, 2);
  const padded = { capacity: 3, topology: world, loads };
  const none = { ...at, capacity: 0, loads: { ...loads, table: new Int32Array(4) } };
  for (const [chunks, where] of [[0, at], [1.5, at], [4, padded], [1, none]] as const) {
    assertThrows(() => capacitySlices(chunks).split(where), SchemoeError, "from 1 to the capacity");
  }
});
