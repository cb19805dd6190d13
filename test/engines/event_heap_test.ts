import { assertEquals } from "@std/assert";
import { EventHeap } from "../../lib/engines/event_heap.ts";
import { uniforms } from "../../lib/random.ts";

Deno.test("EventHeap gives events by time, and those of one time as they came", () => {
  const random = uniforms(3);
  const heap = new EventHeap();
  const events = Array.from(
    { length: 500 },
    (_, key) => ({ time: Math.floor(random() * 40), key }),
  );
  const left: { time: number; key: number }[] = [];
  const take = () => {
    heap.pop();
    left.push({ time: heap.time, key: heap.key });
    assertEquals(heap.stamp, heap.key + 1);
  };
  for (const { time, key } of events) heap.push(time, key, key + 1);
  while (heap.size > 0) take();
  assertEquals(left, events.toSorted((a, b) => a.time - b.time || a.key - b.key));
  heap.push(2, 7, 8);
  heap.push(1, 9, 10);
  take();
  take();
  assertEquals(left.slice(-2), [{ time: 1, key: 9 }, { time: 2, key: 7 }]);
});
