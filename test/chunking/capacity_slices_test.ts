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
    () => capacitySlices(21, 4).split({ capacity: 20, topology: world, loads }),
    SchemoeError,
    "chunks must be an integer from 1 to the capacity 20",
  );
});
