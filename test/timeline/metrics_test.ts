import { assertEquals, assertThrows } from "@std/assert";
import { busy } from "../../lib/timeline/measures/busy.ts";
import type { Timeline } from "../../lib/timeline/table/columns.ts";
import { communication, hiddenFraction } from "../../lib/timeline/measures/communication.ts";
import { makespan } from "../../lib/timeline/measures/makespan.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, type Row, timelineOf } from "./fixture.ts";

const send = (row: Row): Row => ({ kind: "allToAll", lane: "inter", ...row });

/** Rank 0 computes 0-10 and 20-30, rank 1 computes 0-10. */
const small = timelineOf([
  { start: 0, end: 10 },
  { start: 20, end: 30 },
  send({ start: 5, end: 25, wait: 2 }), // communicates 7-25: 3 + 5 hidden, 10 exposed
  send({ start: 8, end: 12, lane: "intra" }), // within the one above
  { start: 0, end: 10, rank: 1 },
  send({ start: 40, end: 50, rank: 1, wait: 4 }), // 6 exposed
]);

Deno.test("makespan() goes from the earliest start to the latest end", () => {
  assertEquals(makespan(small), 50);
  assertEquals(makespan(timelineOf([{ start: 7, end: 9 }])), 2);
  assertEquals(makespan(timelineOf([])), 0);
});

Deno.test("busy() splits the makespan of each rank and lane", () => {
  assertEquals(busy(small).objects(), [
    { rank: 0, lane: "compute", busy_ns: 20, waiting_ns: 0, idle_ns: 30 },
    { rank: 0, lane: "inter", busy_ns: 18, waiting_ns: 2, idle_ns: 30 },
    { rank: 0, lane: "intra", busy_ns: 4, waiting_ns: 0, idle_ns: 46 },
    { rank: 1, lane: "compute", busy_ns: 10, waiting_ns: 0, idle_ns: 40 },
    { rank: 1, lane: "inter", busy_ns: 6, waiting_ns: 4, idle_ns: 40 },
  ]);
});

Deno.test("communication() merges lanes, and does not count waiting for a peer", () => {
  const { ranks, ...sums } = communication(small);
  assertEquals(sums, { total: 24, hidden: 8, exposed: 16, waiting: 6 });
  assertEquals(ranks.objects(), [
    { rank: 0, total_ns: 18, hidden_ns: 8, exposed_ns: 10, waiting_ns: 2 },
    { rank: 1, total_ns: 6, hidden_ns: 0, exposed_ns: 6, waiting_ns: 4 },
  ]);
});

Deno.test("communication() does not take another rank's computation for its own", () => {
  const timeline = timelineOf([{ start: 0, end: 10, rank: 1 }, send({ start: 0, end: 10 })]);
  assertEquals(communication(timeline).hidden, 0);
});

Deno.test("communication() counts all-reduces", () => {
  assertEquals(communication(timelineOf([send({ start: 0, end: 3, kind: "allReduce" })])).total, 3);
});

Deno.test("hiddenFraction() is 0 when nothing overlaps, 1 when all does, NaN without any", () => {
  assertEquals(hiddenFraction(small), 8 / 24);
  const shape = { nodes: 2, ranksPerNode: 2, chunks: 4 };
  assertEquals(hiddenFraction(forwardTimeline({ ...shape, sequential: true })), 0);
  assertEquals(hiddenFraction(timelineOf([{ start: 0, end: 9 }, send({ start: 1, end: 9 })])), 1);
  assertEquals(hiddenFraction(timelineOf([{ start: 0, end: 9 }])), NaN);
});

Deno.test("metrics respect the filter of the table", () => {
  assertEquals(makespan(small.filter((row: { rank: number }) => row.rank === 0)), 30);
});

for (const metric of [makespan, busy, communication, hiddenFraction] as const) {
  Deno.test(`${metric.name}() throws naming the column or the runs`, () => {
    const measure = (timeline: Timeline) => () => metric(timeline);
    assertThrows(measure(small.rename({ end_ns: "end" })), SchemoeError, 'no column "end_ns"');
    assertThrows(measure({} as Timeline), SchemoeError, "give a run or a timeline");
    const two = timelineOf([{ run: "a", start: 0, end: 1 }, { run: "b", start: 0, end: 1 }]);
    assertThrows(measure(two), SchemoeError, 'it holds 2 runs ("a", "b"), filter it to one');
    const odd = timelineOf([{ start: NaN, end: 1 }]);
    assertThrows(measure(odd), SchemoeError, 'column "start_ns" holds NaN in row 0');
  });
}
