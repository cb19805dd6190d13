import { assertEquals, assertThrows } from "@std/assert";
import { fromCSV, toCSV } from "../../lib/timeline/table/csv.ts";
import { fromArrow, toArrow } from "../../lib/timeline/table/export.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, timelineOf } from "./fixture.ts";

const timelines = {
  "a forward pass": forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 3 }),
  "odd names and times": timelineOf([
    {
      run: "17",
      name: `"E, 1"\n<x>`,
      start: 0.1 + 0.2,
      end: 1e15 / 3,
      flops: 2 ** 60,
      chunk: null,
    },
    { run: "17", start: 1, end: 2, deps: "a;b", label: "true" },
  ]),
  "no rows": timelineOf([]),
};

for (const [what, timeline] of Object.entries(timelines)) {
  Deno.test(`toCSV() reads back equal: ${what}`, () => {
    const back = fromCSV(toCSV(timeline));
    assertEquals(back.columnNames(), timeline.columnNames());
    assertEquals(back.objects(), timeline.objects());
  });

  Deno.test(`toArrow() reads back equal: ${what}`, () => {
    const back = fromArrow(toArrow(timeline));
    assertEquals(back.columnNames(), timeline.columnNames());
    assertEquals(back.objects(), timeline.objects());
  });
}

Deno.test("toCSV() and toArrow() throw naming the column that is missing", () => {
  const timeline = timelines["a forward pass"].rename({ deps: "after" });
  assertThrows(() => toCSV(timeline), SchemoeError, 'no column "deps"');
  assertThrows(() => toArrow(timeline), SchemoeError, 'no column "deps"');
});

Deno.test("fromCSV() and fromArrow() throw when it is no timeline", () => {
  assertThrows(() => fromCSV("a,b\n1,2\n"), SchemoeError, 'no column "run"');
  assertThrows(() => fromArrow(Uint8Array.of(1, 2, 3)), SchemoeError, "not an Arrow IPC stream");
});
