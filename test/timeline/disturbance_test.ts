import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { table } from "arquero";
import {
  chromeTrace,
  compare,
  concatTimelines,
  disturbance,
  explain,
  formatPercent,
  fromArrow,
  fromChromeTrace,
  fromCSV,
  fromParquet,
  makeTimeline,
  type Timed,
  type Timeline,
  toArrow,
  toCSV,
  toParquet,
  verdict,
} from "../../lib/timeline/mod.ts";
import { eventsOf, forwardProgram, timelineOf } from "./fixture.ts";

const shape = { nodes: 2, ranksPerNode: 2, chunks: 4 };
const program = forwardProgram(shape);

/** The pass of the fixture, paced to its own times; what `slow` gives is added to an operation. */
function paced(slow: (position: number) => number = () => 0): Timeline {
  const events = eventsOf(program);
  const intended = events.end.map((end, i) => end - events.start[i] - events.wait[i]);
  // everything after an overrun begins that much later
  let late = 0;
  const shift = new Float64Array(program.order.length);
  for (const at of program.order.keys()) {
    shift[at] = late;
    late += slow(at);
  }
  const move = (times: Float64Array) => times.map((time, i) => time + shift[events.position[i]]);
  const end = move(events.end).map((time, i) => time + slow(events.position[i]));
  const moved = { ...events, ready: move(events.ready), start: move(events.start), end };
  return makeTimeline(program, { ...moved, paced: intended }, { name: "run" });
}

const expert = program.order.findIndex(({ label, chunk }) => label === "E" && chunk === 1);
const overrun = paced((at) => at === expert ? 3e6 : 0);

Deno.test("disturbance() finds none where every task took its paced time", () => {
  assertEquals(disturbance(paced()), undefined);
  assertMatch(verdict(paced()), /^makespan/);
});

Deno.test("disturbance() finds none where nothing is paced, however long a task took", () => {
  assertEquals(disturbance(timelineOf([{ start: 0, end: 1e9 }])), undefined);
});

Deno.test("disturbance() names the task that took longest beyond its paced time", () => {
  const found = disturbance(overrun)!;
  assertEquals([found.worst!.name, found.tasks], ["E[1]", 1]);
  assert(Math.abs(found.factor - found.worst!.took / found.worst!.paced) < 1e-9);
  assert(found.factor > 3 && found.lost >= 3e6 && found.share > 0.2);
});

Deno.test("disturbance() leaves out what is small, and what is not on the critical path", () => {
  assertEquals(disturbance(paced((at) => at === expert ? 1e5 : 0)), undefined);
  const last = program.order.findIndex(({ label }) => label === "combine");
  const aside = timelineOf([{ start: 0, end: 90 }, { rank: 1, start: 0, end: 50 }]);
  assertEquals(disturbance(aside.assign(table({ paced_ns: [90, 10] }))), undefined);
  assert(disturbance(aside.assign(table({ paced_ns: [45, 50] }))) !== undefined);
  assert(disturbance(paced((at) => at === last ? 2e6 : 0)) !== undefined);
});

/** A pass of a second, paced: a task of 1 us, and ten that share the rest. */
function long(took: (task: number) => number): Timeline {
  const meant = Array.from({ length: 11 }, (_, task) => task === 0 ? 1e3 : 1e8);
  let at = 0;
  const rows = meant.map((paced, task) => {
    const start = at;
    at += took(task) * paced;
    return { start, end: at, name: `task ${task}`, deps: task > 0 ? `task ${task - 1}` : null };
  });
  return timelineOf(rows).assign(table({ paced_ns: meant }));
}

Deno.test("disturbance() goes by the share of the pass, not by the latest task", () => {
  assertEquals(disturbance(long((task) => task === 0 ? 3 : 1)), undefined);
  assertEquals(disturbance(long((task) => task === 0 ? 3000 : 1)), undefined);
  const large = disturbance(long((task) => task === 4 ? 2.3 : 1))!;
  assertEquals([large.worst!.name, large.tasks, large.factor], ["task 4", 1, 2.3]);
  assertMatch(
    verdict(long((task) => task === 0 ? 3 : task === 4 ? 2.3 : 1)),
    /^disturbed: tasks took up to 2\.3x their paced time · /,
  );
});

Deno.test("disturbance() adds up what each of many tasks took longer", () => {
  assertEquals(disturbance(long(() => 1.04)), undefined);
  const small = disturbance(long((task) => task === 0 ? 9 : 1.1))!;
  assertEquals([small.tasks, Number(small.factor.toFixed(3))], [6, 1.1]);
  assert(Math.abs(small.share - (1 - 1 / 1.1)) < 1e-4);
});

Deno.test("disturbance() leaves out what the run makes up for: a task is paced from when it was to begin", () => {
  const caughtUp = long((task) => task === 4 ? 1.8 : task === 5 ? 0.2 : 1);
  assertEquals(disturbance(caughtUp), undefined);
});

Deno.test("disturbance() counts a late rank once, not again on the ranks that wait for it", () => {
  const exchange = (rank: number, start: number, wait: number, end: number) => ({
    rank,
    lane: "intra",
    kind: "allToAll",
    name: "A1",
    deps: "E",
    start,
    wait,
    end,
  });
  const timeline = timelineOf([
    { rank: 0, name: "E", start: 0, end: 40 },
    { rank: 1, name: "E", start: 0, end: 10 },
    exchange(0, 40, 0, 50),
    exchange(1, 10, 30, 50),
    { rank: 1, name: "last", start: 50, end: 60, deps: "A1" },
  ]).assign(table({ paced_ns: [10, 10, 10, 10, 10] }));
  const found = disturbance(timeline)!;
  assertEquals([found.lost, found.worst!.rank, found.factor, found.tasks], [30, 0, 4, 1]);
});

Deno.test("disturbance() takes a transfer without bytes among paced ones to take no time", () => {
  const transfer = { lane: "intra", kind: "allToAll" };
  const timeline = timelineOf([
    { ...transfer, start: 0, end: 30 },
    { ...transfer, start: 30, end: 60, deps: "task 0" },
  ]);
  assertEquals(disturbance(timeline.assign(table({ paced_ns: [30, 0] })))!.lost, 30);
  const computed = timelineOf([
    { ...transfer, start: 0, end: 30 },
    { start: 30, end: 60, deps: "task 0" },
  ]);
  assertEquals(disturbance(computed.assign(table({ paced_ns: [30, 0] }))), undefined);
});

Deno.test("disturbance() says so where tasks only began late", () => {
  const times = { start: 0, end: 10 };
  const late = timelineOf([times, { start: 30, end: 40, deps: "task 0" }])
    .assign(table({ paced_ns: [10, 10] }));
  const found = disturbance(late)!;
  assertEquals([found.lost, found.factor, found.worst], [20, 1, undefined]);
  assertStringIncludes(
    verdict(late),
    "disturbed: tasks began late, 50 % of the run was lost · makespan",
  );
});

Deno.test("verdict() says first that a run was disturbed", () => {
  assertMatch(verdict(overrun), /^disturbed: tasks took up to 3\.\dx their paced time · makespan /);
});

Deno.test("explain() says first that a run was disturbed, and gives no advice", () => {
  const { sentences } = explain({ timeline: overrun, bound: 8e-3 });
  assertMatch(
    sentences[0],
    /^Disturbed: a task of the critical path took up to 3\.\dx the paced time \(E\[1\] on rank \d: 4\.\d+ ms instead of 1\.\d+ ms\), and 3\.00 ms, \d+ % of the run, were lost: its order takes \d\.\d+ ms with the paced times\./,
  );
  const text = sentences.join("\n");
  assert(
    !/bound by|balance the ranks|no order helps|would (let|hide|shrink|help|save)|can win/.test(
      text,
    ),
    text,
  );
  const calm = explain({ timeline: paced(), bound: 8e-3 }).sentences;
  assert(!calm.join().includes("Disturbed") && /can win at most/.test(calm.join()));
});

Deno.test("compare() says which runs were disturbed, and in which nobody knows the spread", async () => {
  const found = compare([{ timeline: paced(), name: "calm" }, {
    timeline: overrun,
    name: "x",
  }]);
  assertEquals(found.table.get("disturbed", 0), null);
  const { share } = disturbance(overrun)!;
  assertEquals(found.table.get("disturbed", 1), share);
  const text = formatPercent(share);
  assertMatch(`${found}`, new RegExp(`^x .* ${text}$`, "m"), "the part that was lost, not a ratio");
  assertStringIncludes(await found.svg(), "longer than the first, disturbed");
  assertEquals([...found.table.array("clear") as unknown[]], [null, null]);
  assertEquals([...found.table.array("spread_ns") as unknown[]], [null, null]);
});

Deno.test("compare() says which differences exceed the spread of the repeats", async () => {
  const run = (name: string, repeats: number[]): Timed => ({
    name,
    repeats,
    timeline: paced(),
    configuration: { engine: "cpu, paced" },
  });
  const found = compare([
    run("first", [8.5e-3, 8.4e-3, 9.1e-3]),
    run("near", [8.9e-3, 9.3e-3, 9.0e-3]),
    run("far", [9.2e-3, 9.3e-3, 9.4e-3]),
  ]);
  assertEquals([...found.table.array("clear") as unknown[]], [false, false, true]);
  const spread = [...found.table.array("spread_ns") as number[]].map((ns) => Math.round(ns / 1e3));
  assertEquals(spread, [700, 400, 200]);
  assertStringIncludes(await found.svg(), "first · ");
  assertStringIncludes(
    verdict(run("first", [8.5e-3, 8.4e-3, 9.1e-3])),
    "(median of 3, 8.40 ms to 9.10 ms)",
  );
});

Deno.test("compare() of simulated runs trusts every difference", () => {
  const run = (name: string, engine: string) => ({
    name,
    timeline: timelineOf([{ start: 0, end: name.length }]),
    configuration: { engine },
  });
  const simulated = compare([run("a", "simulate, model"), run("bb", "simulate, model")]);
  assertEquals(simulated.table.column("clear"), undefined);
  const mixed = compare([run("a", "simulate, model"), run("bb", "cpu, real")]);
  assertEquals([...mixed.table.array("clear") as unknown[]], [false, null]);
});

Deno.test("paced times stay with a timeline in every format", async () => {
  const times = (timeline: Timeline) => Array.from(timeline.array("paced_ns") as Iterable<number>);
  const all = times(overrun);
  assert(all.some((time) => time > 0));
  assertEquals(times(fromCSV(toCSV(overrun))), all);
  assertEquals(times(fromArrow(toArrow(overrun))), all);
  assertEquals(times(await fromParquet(await toParquet(overrun))), all);
  assertEquals(times(await fromChromeTrace(chromeTrace(overrun))), all);
  const plain = timelineOf([{ start: 0, end: 5, run: "run" }]);
  assertEquals(times(concatTimelines(overrun, plain)), [...all, 0]);
  assertEquals(concatTimelines(plain, plain).column("paced_ns"), undefined);
});
