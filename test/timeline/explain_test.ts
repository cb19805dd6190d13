import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { createLayer, openEngine, topK, topology } from "../../mod.ts";
import { communication } from "../../lib/timeline/measures/communication.ts";
import { explain } from "../../lib/timeline/measures/explain.ts";
import { exposure } from "../../lib/timeline/measures/exposure.ts";
import { makespan } from "../../lib/timeline/measures/makespan.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, type Row, timelineOf } from "./fixture.ts";

const MS = 1e6;
const send = (row: Row): Row => ({ kind: "allToAll", lane: "inter", label: "A1", ...row });

/** Chunk 1 is exposed for 0.8 ms and chunk 2 for 1.8 ms. */
const run = timelineOf([
  { start: 0, end: 2 * MS, name: "C1[1]", chunk: 1 },
  send({ start: 2 * MS, end: 3 * MS, name: "A1[1]", chunk: 1, deps: "C1[1]" }),
  { start: 2.8 * MS, end: 4 * MS, name: "C1[2]", chunk: 2 },
  send({ start: 4 * MS, end: 5.8 * MS, name: "A1[2]", chunk: 2, deps: "C1[2]" }),
  { start: 5.8 * MS, end: 7 * MS, name: "D1[2]", chunk: 2, deps: "A1[2]" },
]);

Deno.test("exposure() ranks what is exposed, with what it waited for and what waits for it", () => {
  assertEquals(exposure(run).objects(), [
    {
      name: "A1[2]",
      chunk: 2,
      lane: "inter",
      exposed_ns: 1.8 * MS,
      worst_rank: 0,
      worst_ns: 1.8 * MS,
      why: "began after C1[2] on the compute lane",
      holds_up: "D1[2]",
    },
    {
      name: "A1[1]",
      chunk: 1,
      lane: "inter",
      exposed_ns: 0.8 * MS,
      worst_rank: 0,
      worst_ns: 0.8 * MS,
      why: "began after C1[1] on the compute lane",
      holds_up: "D1[2]",
    },
  ]);
});

Deno.test("exposure() counts two transfers at once for the one that ends last, and adds up", () => {
  const timeline = timelineOf([
    send({ start: 0, end: 10, name: "a" }),
    send({ start: 2, end: 6, name: "b", lane: "intra" }),
    { start: 8, end: 12, name: "E[0]" },
  ]);
  assertEquals(exposure(timeline).array("name"), ["a"]);
  assertEquals(exposure(timeline).array("exposed_ns"), [8]);
  for (const sequential of [false, true]) {
    const pass = forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 3, sequential });
    const sum = Array.from(exposure(pass).array("exposed_ns") as number[]).reduce(
      (a, b) => a + b,
      0,
    );
    assertAlmostEquals(sum * 4, communication(pass).exposed, 1);
  }
});

Deno.test("explain() names the exposed communication that costs most", () => {
  const { sentences } = explain(run);
  const exposed = sentences.find((sentence) => sentence.startsWith("Communication is exposed"))!;
  assertStringIncludes(exposed, "exposed for 2.60 ms a rank (37 % of the run)");
  assertStringIncludes(
    exposed,
    "A1 chunk 2, inter lane, 1.80 ms on rank 0: it began after C1[2] on the compute lane, " +
      "and D1[2] computes only after it",
  );
});

Deno.test("explain() splits the makespan along the critical path", () => {
  for (const timeline of [run, forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 4 })]) {
    const { path } = explain(timeline);
    const times = Array.from(path.array("time_ns") as number[]);
    assertAlmostEquals(times.reduce((a, b) => a + b, 0), makespan(timeline), 1);
    assertEquals(times, times.toSorted((a, b) => b - a));
  }
});

const text = (timeline: Parameters<typeof explain>[0]) => explain(timeline).sentences.join("\n");

Deno.test("explain() measures the distance to the bound", () => {
  assertMatch(
    text({ timeline: run, bound: 5e-3, boundLimit: "inter lane of rank 0" }),
    /less than 5.00 ms \(inter lane of rank 0\); this one takes 40 % more.*at most 2.00 ms/,
  );
  assertMatch(text({ timeline: run, bound: 7e-3 }), /less than 7.00 ms, and this one is there/);
  assertMatch(text({ timeline: run, bound: 14e-3 }), /bound of 14.00 ms is 50 % above the run/);
});

Deno.test("explain() advises by what it finds", () => {
  assertMatch(
    text(timelineOf([{ start: 0, end: 10, name: "gate" }])),
    /no communication.*\nIt is one task, gate/,
  );
  assertMatch(text(timelineOf([])), /^Nothing ran\.$/);
  assertMatch(
    text(timelineOf([send({ start: 0, end: 5 }), send({ start: 8, end: 10 })])),
    /Nothing computes/,
  );
  const one = forwardTimeline({ nodes: 2, ranksPerNode: 1, chunks: 1 });
  assertMatch(text(one), /one chunk.*more chunks/);
  // a trace of another program knows of no chunks
  const foreign = timelineOf([
    { start: 0, end: MS, name: "gemm" },
    send({ start: MS, end: 3 * MS, name: "SendRecv", deps: "gemm" }),
  ]).derive({ chunk: () => null });
  assertMatch(text(foreign), /does not say into which parts/);
  assertNotMatch(text(foreign), /one chunk/);
  const chained = forwardTimeline({ nodes: 2, ranksPerNode: 1, chunks: 4, sequential: true });
  assertMatch(text(chained), /In spite of 4 chunks nothing overlaps/);
  const full = timelineOf([{ start: 0, end: 99 }, send({ start: 0, end: 50 }), {
    start: 99,
    end: 100,
    rank: 1,
  }]);
  assertMatch(text(full), /All communication is hidden.*\nThe compute lane of rank 0 works 99 %/);
  const link = timelineOf([
    send({ start: 0, end: 60, chunk: 0 }),
    send({ start: 60, end: 99, chunk: 1 }),
    { start: 60, end: 70, chunk: 0 },
    { start: 99, end: 100, chunk: 1 },
  ]);
  assertMatch(
    text(link),
    /The inter lane of rank 0 works 99 % of the time: no order helps, only fewer bytes/,
  );
  assertNotMatch(text(link), /chunks/);
  const gap = timelineOf([{ start: 0, end: 10 }, { start: 90, end: 100 }]);
  assertMatch(text(gap), /bound by time between tasks.*\n.*\nBetween the tasks.*80 ns pass unused/);
});

Deno.test("explain() tells which rank the others wait for", () => {
  const slow = timelineOf([
    { start: 0, end: 40, name: "E[0]" },
    send({ start: 40, end: 100, wait: 40, name: "A2[0]", deps: "E[0]" }),
    { start: 0, end: 80, name: "E[0]", rank: 1 },
    send({ start: 80, end: 100, name: "A2[0]", rank: 1, deps: "E[0]" }),
  ]);
  assertMatch(
    text(slow),
    /wait for peers 20 ns each, most for rank 1, which was waited for 1 times and computes 33 % longer/,
  );
});

Deno.test("explain() shows sentences and tables, and escapes names", async () => {
  const shown = explain(timelineOf([{ start: 0, end: 10, name: "<b>" }]));
  const bundle = await shown[Symbol.for("Jupyter.display")]();
  assertStringIncludes(bundle["text/html"], "&lt;b&gt;");
  assert(!bundle["text/html"].includes("<b>:"));
  assertStringIncludes(bundle["text/plain"], "Where the critical path spends the time");
});

Deno.test("explain() throws for what is neither run nor timeline", () => {
  assertThrows(() => explain({} as never), SchemoeError, "give a run or a timeline");
  assertThrows(() => explain(undefined as never), SchemoeError, "give a run or a timeline");
  assertThrows(() => explain(run.rename({ deps: "d" })), SchemoeError, 'no column "deps"');
});

Deno.test("explain() advises to balance ranks only where one of them computes longer", () => {
  const rank = (rank: number, computes: number, begins: number) => [
    { rank, node: rank, name: "E[0]", start: begins - computes, end: begins },
    {
      rank,
      node: rank,
      kind: "allToAll",
      lane: "inter",
      name: "A2[0]",
      label: "A2",
      start: begins,
      end: 300,
      wait: 200 - begins,
      deps: "E[0]",
    },
  ];
  const said = (computes: number) =>
    explain(timelineOf([...rank(0, 100, 100), ...rank(1, computes, 200)])).sentences.join(" ");
  assertStringIncludes(said(180), "balance the ranks");
  assertStringIncludes(said(100), "though it computes no longer than the others");
  assert(!said(100).includes("balance"));
});

Deno.test("explain() of a run at its bound advises about the lane that bounds it, not about what others wait for", async () => {
  const speed = Array.from({ length: 16 }, (_, rank) => rank === 5 ? 0.5 : 1);
  const world = topology({
    nodes: 4,
    ranksPerNode: 4,
    intra: { bandwidth: "150 GB/s", latency: "3 us" },
    inter: { bandwidth: "25 GB/s", latency: "8 us" },
    processor: { flopRate: 2e14, byteRate: 2e12, alpha: 5e-6 },
    speed,
  });
  using engine = openEngine({ kind: "simulate", topology: world });
  const sizes = {
    tokens: 8192,
    modelDim: 2048,
    hiddenDim: 4096,
    experts: 16,
    gate: topK({ k: 2 }),
  };
  using layer = createLayer(engine, { ...sizes, dtype: "bfloat16" });
  const slow = await layer.forward({ scheduler: "optSche", allToAll: "pipe", chunks: 4 });
  const said = explain(slow).sentences.join(" ");
  assertMatch(said, /this one is there/);
  assertMatch(said, /The compute lane of rank 5 works 8\d % of the time: no order helps/);
  assert(!said.includes("faster links"), said);
});
