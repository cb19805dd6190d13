import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { busBandwidth } from "../../lib/timeline/measures/bandwidth.ts";
import { busy } from "../../lib/timeline/measures/busy.ts";
import { criticalPath } from "../../lib/timeline/measures/critical_path.ts";
import { idle } from "../../lib/timeline/measures/idle.ts";
import { expertWork, imbalance } from "../../lib/timeline/measures/imbalance.ts";
import { makespan } from "../../lib/timeline/measures/makespan.ts";
import { overlap } from "../../lib/timeline/measures/overlap.ts";
import { stragglers } from "../../lib/timeline/measures/stragglers.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, type Row, timelineOf } from "./fixture.ts";

const send = (row: Row): Row => ({
  kind: "allToAll",
  lane: "inter",
  name: "A2[0]",
  label: "A2",
  ...row,
});
const decode = (row: Row): Row => ({ kind: "decompress", name: "D2[0]", deps: "A2[0]", ...row });

/** Rank 1 computes for 15, rank 0 for 10 and waits 5 for it; the last to end is on rank 0. */
const pair = timelineOf([
  { start: 0, end: 10, name: "E[0]", flops: 8 },
  send({ start: 10, wait: 5, end: 25, deps: "E[0]", bytes: 40 }),
  decode({ start: 25, end: 30 }),
  { start: 0, end: 15, name: "E[0]", rank: 1, flops: 8 },
  send({ start: 15, end: 25, deps: "E[0]", rank: 1, bytes: 20 }),
  decode({ start: 25, end: 28, rank: 1 }),
]);

Deno.test("criticalPath() goes on at the peer that started last", () => {
  const step = { node: 0, chunk: 0, gap_ns: 0 };
  assertEquals(criticalPath(pair).objects(), [
    {
      ...step,
      rank: 1,
      lane: "compute",
      kind: "expert",
      name: "E[0]",
      begin_ns: 0,
      end_ns: 15,
      why: "start",
    },
    {
      ...step,
      rank: 0,
      lane: "inter",
      kind: "allToAll",
      name: "A2[0]",
      begin_ns: 15,
      end_ns: 25,
      why: "peer",
    },
    {
      ...step,
      rank: 0,
      lane: "compute",
      kind: "decompress",
      name: "D2[0]",
      begin_ns: 25,
      end_ns: 30,
      why: "dependency",
    },
  ]);
});

Deno.test("criticalPath() takes the lane where that held a task up longer than its dependency", () => {
  const path = criticalPath(timelineOf([
    { start: 0, end: 4, name: "C1[0]", lane: "compute" },
    { start: 4, end: 20, name: "C1[1]", lane: "compute" },
    { start: 4, end: 9, name: "A1[0]", lane: "inter", kind: "allToAll", deps: "C1[0]" },
    { start: 21, end: 25, name: "D1[0]", lane: "compute", deps: "A1[0]" },
  ]));
  assertEquals(path.array("name"), ["C1[0]", "C1[1]", "D1[0]"]);
  assertEquals(path.array("why"), ["start", "lane", "lane"]);
  assertEquals(path.array("gap_ns"), [0, 0, 1]);
});

Deno.test("criticalPath() crosses from one Program to the next, also between ranks", () => {
  const path = criticalPath(timelineOf([
    { start: 0, end: 3, name: "gate" },
    { start: 0, end: 7, name: "gate", rank: 1 },
    { start: 7, end: 9, name: "dispatch" },
    { start: 7, end: 8, name: "dispatch", rank: 1 },
  ]));
  assertEquals(path.array("why"), ["start", "barrier"]);
  assertEquals(path.array("rank"), [1, 0]);
});

Deno.test("criticalPath() waits in a node for ranks of that node only", () => {
  const phase = (rank: number, node: number, start: number, wait: number): Row =>
    send({ lane: "intra", rank, node, start, wait, end: 20 });
  const path = criticalPath(timelineOf([
    phase(0, 0, 0, 10),
    { start: 0, end: 10, rank: 1, name: "E[0]" },
    { ...phase(1, 0, 10, 0), deps: "E[0]" },
    { start: 0, end: 10, rank: 2, node: 1, name: "E[0]" },
    { ...phase(2, 1, 10, 0), deps: "E[0]", end: 15 },
  ]));
  assertEquals(path.array("rank"), [1, 0]);
});

Deno.test("criticalPath() of several shapes adds up to the makespan", () => {
  for (const nodes of [1, 2, 4]) {
    for (const sequential of [false, true]) {
      const timeline = forwardTimeline({ nodes, ranksPerNode: 3, chunks: 3, sequential });
      const path = criticalPath(timeline);
      const [begin, end, gap] = ["begin_ns", "end_ns", "gap_ns"].map((name) => path.array(name));
      let at = 0;
      for (const i of Array.from(begin).keys()) {
        assertAlmostEquals(begin[i] - gap[i], at, 1e-3);
        at = end[i];
      }
      assertAlmostEquals(at, makespan(timeline), 1e-3);
      assert(Array.from(gap).every((ns) => ns === 0));
    }
  }
  assertEquals(criticalPath(timelineOf([])).numRows(), 0);
});

Deno.test("criticalPath() of equal tasks that took no time ends", () => {
  const rows = [0, 1, 2].map((i) => ({ start: 5, end: 5, name: `${i}`, deps: `${(i + 1) % 3}` }));
  assert(criticalPath(timelineOf(rows)).numRows() >= 1);
});

Deno.test("idle() names the task, the peer and the rank waited for", () => {
  const at = (row: object) => ({
    waits_for: null,
    waits_rank: null,
    waits_lane: null,
    before: null,
    ...row,
  });
  const inter = { before: "A2[0]", waits_lane: "compute", waits_for: "E[0]" };
  const rest = { cause: "nothing left", before: null };
  const decoded = { cause: "task", before: "D2[0]", waits_for: "A2[0]", waits_lane: "inter" };
  assertEquals(idle(pair).objects(), [
    at({
      rank: 0,
      lane: "compute",
      begin_ns: 10,
      end_ns: 25,
      idle_ns: 15,
      waits_rank: 0,
      ...decoded,
    }),
    at({
      rank: 0,
      lane: "inter",
      begin_ns: 0,
      end_ns: 10,
      idle_ns: 10,
      cause: "task",
      waits_rank: 0,
      ...inter,
    }),
    at({
      rank: 0,
      lane: "inter",
      begin_ns: 10,
      end_ns: 15,
      idle_ns: 5,
      cause: "peer",
      ...inter,
      waits_rank: 1,
      waits_for: "A2[0]",
      waits_lane: "inter",
    }),
    at({ rank: 0, lane: "inter", begin_ns: 25, end_ns: 30, idle_ns: 5, ...rest }),
    at({
      rank: 1,
      lane: "compute",
      begin_ns: 15,
      end_ns: 25,
      idle_ns: 10,
      waits_rank: 1,
      ...decoded,
    }),
    at({ rank: 1, lane: "compute", begin_ns: 28, end_ns: 30, idle_ns: 2, ...rest }),
    at({
      rank: 1,
      lane: "inter",
      begin_ns: 0,
      end_ns: 15,
      idle_ns: 15,
      cause: "task",
      waits_rank: 1,
      ...inter,
    }),
    at({ rank: 1, lane: "inter", begin_ns: 25, end_ns: 30, idle_ns: 5, ...rest }),
  ]);
});

Deno.test("idle() tells being late from waiting, and what the table does not explain", () => {
  const table = idle(timelineOf([
    { start: 0, end: 10, name: "E[0]" },
    send({ start: 13, end: 20, deps: "E[0]" }),
    { start: 15, end: 20, name: "kernel" },
  ]));
  const found = table.objects() as { lane: string; cause: string; idle_ns: number }[];
  assertEquals(found.map(({ lane, cause, idle_ns }) => `${lane} ${cause} ${idle_ns}`), [
    "compute unknown 5",
    "inter task 10",
    "inter overhead 3",
  ]);
});

Deno.test("idle() adds up to what busy() leaves", () => {
  for (const sequential of [false, true]) {
    const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 3, sequential });
    const gaps = idle(timeline).objects() as { rank: number; lane: string; idle_ns: number }[];
    for (const row of busy(timeline).objects() as Record<string, number>[]) {
      const sum = gaps.filter(({ rank, lane }) => rank === row.rank && `${lane}` === `${row.lane}`)
        .reduce((total, gap) => total + gap.idle_ns, 0);
      assertAlmostEquals(sum, row.idle_ns + row.waiting_ns, 1);
    }
  }
});

Deno.test("overlap() is symmetric, with the time of each kind on its diagonal", () => {
  const table = overlap(timelineOf([
    { start: 0, end: 10 },
    send({ start: 2, end: 12, wait: 2 }),
    { start: 9, end: 14, kind: "combine", lane: "other" },
    { start: 0, end: 100, rank: 1 },
  ]));
  assertEquals(table.objects(), [
    { kind: "expert", expert_ns: 110, combine_ns: 1, allToAll_ns: 6 },
    { kind: "combine", expert_ns: 1, combine_ns: 5, allToAll_ns: 3 },
    { kind: "allToAll", expert_ns: 6, combine_ns: 3, allToAll_ns: 8 },
  ]);
});

Deno.test("imbalance() is the largest over the mean", () => {
  assertEquals(imbalance([5, 5, 5]), { ratio: 1, variation: 0, busiest: 0 });
  assertEquals(imbalance(Int32Array.of(0, 0, 8, 0)), {
    ratio: 4,
    variation: Math.sqrt(3),
    busiest: 2,
  });
  assertEquals(imbalance([0, 0]).ratio, NaN);
  assertThrows(() => imbalance([]), SchemoeError, "there are no loads");
  assertThrows(() => imbalance([1, -2]), SchemoeError, "load 1 is -2");
});

Deno.test("expertWork() sums the experts of each rank, also of one that has none", () => {
  const timeline = timelineOf([
    { start: 0, end: 10, flops: 8 },
    { start: 10, end: 13, flops: 2, kind: "expertWeightGrad" },
    { start: 0, end: 9, kind: "gate", flops: 99 },
    { start: 0, end: 9, kind: "gate", rank: 4 },
  ]);
  assertEquals(expertWork(timeline).objects(), [
    { rank: 0, flops: 10, expert_ns: 13 },
    { rank: 4, flops: 0, expert_ns: 0 },
  ]);
});

Deno.test("stragglers() blames the rank that comes last", () => {
  assertEquals(stragglers(pair).objects(), [
    { rank: 1, caused_ns: 5, waiting_ns: 0, last: 1, compute_ns: 18, slowdown: 18 / 16.5 },
    { rank: 0, caused_ns: 0, waiting_ns: 5, last: 0, compute_ns: 15, slowdown: 15 / 16.5 },
  ]);
  assertEquals(stragglers(timelineOf([send({ start: 0, end: 1 })])).get("slowdown", 0), 1);
});

Deno.test("busBandwidth() is bytes over links by time, or (n - 1) / n of the size given", () => {
  const row = { pass: "forward", name: "A2[0]", bytes: 40, ns: 10 };
  assertEquals(busBandwidth(pair).objects(), [{ ...row, bytes_per_second: 4e9 }]);
  assertEquals(busBandwidth(pair, { size: 100 }).objects(), [{
    ...row,
    bytes: 50,
    bytes_per_second: 5e9,
  }]);
  assertThrows(() => busBandwidth(pair, { size: 0 }), SchemoeError, "size is 0");
});

Deno.test("busBandwidth() joins the phases of a chunk, and keeps repeated names of a trace apart", () => {
  const timeline = timelineOf([
    send({ start: 0, end: 10, bytes: 10, chunk: 1 }),
    send({ start: 5, end: 20, bytes: 30, chunk: 1, lane: "intra" }),
    send({ start: 20, end: 30, bytes: 10, chunk: null, name: "ncclAllToAll" }),
    send({ start: 40, end: 60, bytes: 10, chunk: null, name: "ncclAllToAll" }),
  ]);
  assertEquals(busBandwidth(timeline).objects().map((row) => Object.values(row).join(" ")), [
    "forward A2[1] 40 20 2000000000",
    "forward ncclAllToAll 10 10 1000000000",
    "forward ncclAllToAll #2 10 20 500000000",
  ]);
});

for (const metric of [criticalPath, idle, overlap, expertWork, stragglers, busBandwidth]) {
  Deno.test(`${metric.name}() throws naming the column or the runs`, () => {
    assertThrows(() => metric(pair.rename({ rank: "r" })), SchemoeError, 'no column "rank"');
    const two = timelineOf([{ run: "a", start: 0, end: 1 }, { run: "b", start: 0, end: 1 }]);
    assertThrows(() => metric(two), SchemoeError, "filter it to one");
  });
}
