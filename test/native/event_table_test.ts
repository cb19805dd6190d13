import { assertEquals, assertStrictEquals } from "@std/assert";
import { eventTable } from "../../lib/native/event_table.ts";

Deno.test("eventTable() makes columns when one is read, and they are own fields", () => {
  const words = [1n, 2n, 2n ** 40n + 3n, 4n, 5n, 6n, 7n, 8n];
  const events = BigUint64Array.from([...words, ...words.map((word) => word + 10n)]);
  const table = eventTable(events, 2);
  assertStrictEquals(table.start, table.start);
  assertEquals([...table.position, ...table.rank], [0, 0, 1, 1, 0, 1, 0, 1]);
  const { ready, start, end, wait, paced } = { ...table };
  assertEquals([...ready], [1, 5, 11, 15]);
  assertEquals([...start], [2, 6, 12, 16]);
  assertEquals([...end], [2 ** 40 + 3, 7, 2 ** 40 + 13, 17]);
  assertEquals([...wait], [4, 8, 14, 18]);
  assertEquals(paced, undefined);
  assertEquals("paced" in table, false);
  assertEquals(structuredClone(table), { ...table });
  const seconds = Float64Array.of(1, 2, 3, 4);
  assertStrictEquals(eventTable(events, 2, seconds).paced, seconds);
});
