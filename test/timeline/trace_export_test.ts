import { assert, assertEquals, assertThrows } from "@std/assert";
import { chromeTrace } from "../../lib/timeline/trace/export.ts";
import { chromeTraceGzip, writeChromeTrace } from "../../lib/timeline/trace/file.ts";
import { makeTimeline } from "../../lib/timeline/table/timeline.ts";
import { trafficOf } from "../../lib/costs/mod.ts";
import { SchemoeError } from "../../lib/types.ts";
import { eventsOf, forwardProgram, forwardTimeline, timelineOf } from "./fixture.ts";
import { checkTrace } from "./trace_check.ts";

const shape = { nodes: 2, ranksPerNode: 2, chunks: 2 };

Deno.test("chromeTrace() has a process for each rank and a thread for each lane", () => {
  const events = checkTrace(chromeTrace(forwardTimeline(shape)));
  const names = (name: string) => events.filter((e) => e.name === name).map((e) => e.args.name);
  assertEquals(names("process_name"), [0, 1, 2, 3].map((r) => `rank ${r} · node ${r >> 1}`));
  assertEquals(names("thread_name"), Array(4).fill(["compute", "intra", "inter"]).flat());
  const slices = events.filter(({ ph, cat }) => ph === "X" && cat === "kernel");
  assertEquals(slices.length, forwardTimeline(shape).numRows());
  assertEquals(new Set(slices.map(({ pid }) => pid)), new Set([0, 1, 2, 3]));
});

Deno.test("chromeTrace() writes microseconds to the nanosecond, and exact times as arguments", () => {
  const timeline = timelineOf([
    { start: 2234.4, end: 5000.25, wait: 1000, bytes: 4000, kind: "allToAll", lane: "intra" },
  ]);
  const [slice, wait] = checkTrace(chromeTrace(timeline)).filter(({ ph }) => ph === "X");
  assertEquals([Math.round(slice.ts * 1000), slice.dur], [2234, 2.766]);
  assertEquals([slice.args.start_ns, slice.args.end_ns, slice.args.wait_ns], [
    2234.4,
    5000.25,
    1000,
  ]);
  assertEquals([slice.args.bytes, slice.args.chunk, slice.args.rate], [4000, 0, "2.27 GB/s"]);
  assertEquals([wait.name, wait.ts, wait.dur], ["waiting for a peer", slice.ts, 1]);
});

Deno.test("chromeTrace() never lets slices overlap, whatever the times", () => {
  const rows = Array.from({ length: 3000 }, (_, i) => ({
    start: 1e6 + i * 1000.3337,
    end: 1e6 + (i + 1) * 1000.3337,
    wait: i % 3 * 100.7,
    rank: 1,
  }));
  const overlapping = [{ start: 0, end: 10 }, { start: 5, end: 15 }, { start: 12, end: 13 }];
  const events = checkTrace(chromeTrace(timelineOf([...rows, ...overlapping])));
  const threads = events.filter((e) => e.name === "thread_name" && e.pid === 0);
  assertEquals(threads.map(({ args }) => args.name), ["compute", "compute (2)"]);
});

Deno.test("chromeTrace() holds arrows inside slices that are whole nanoseconds long", () => {
  const rows = Array.from({ length: 2000 }, (_, i) => {
    const start = 1e6 + 7013 * i;
    const end = start + 1001 + i;
    return [0, 1].map((rank) => ({ rank, start, end, name: `A[${i}]`, bytes: 1 }));
  });
  const timeline = timelineOf(
    rows.flat().map((row) => ({ ...row, kind: "allToAll", lane: "intra" })),
  );
  const events = checkTrace(chromeTrace(timeline));
  assertEquals(events.filter(({ ph }) => ph === "f").length, 4000);
  for (const { ph, dur, args } of events) {
    if (ph === "X") assertEquals(Math.trunc(dur * 1000), args.end_ns - args.start_ns);
  }
});

Deno.test("chromeTrace() gives communication the arguments of Kineto's NCCL kernels", () => {
  const events = checkTrace(chromeTrace(forwardTimeline({ ...shape, bytes: 600 })));
  const argsOf = (name: string) => events.find((e) => e.ph === "X" && e.name === name)!.args;
  const inter = argsOf("A1[0] inter");
  assertEquals(inter["Collective name"], "all_to_all");
  assertEquals([inter["In msg nelems"], inter["Out msg nelems"], inter.dtype], [800, 800, "Byte"]);
  assertEquals([inter["Group size"], inter["Process Group Ranks"]], [4, "[0, 1, 2, 3]"]);
  const intra = argsOf("A1[0] intra");
  assertEquals([intra["Group size"], intra["Process Group Ranks"]], [2, "[0, 1]"]);
  assertEquals([intra["In msg nelems"], intra["Process Group Name"]], [1200, "intra"]);
  assertEquals("Collective name" in argsOf("E[0]"), false);
});

Deno.test("chromeTrace() points arrows inside nodes on lane intra, else between nodes", () => {
  const events = checkTrace(chromeTrace(forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 1 })));
  const pairs = (name: string) => {
    const starts = events.filter((e) => e.ph === "s" && e.name === name);
    return starts.map((start) => {
      const end = events.find((e) => e.ph === "f" && e.id === start.id)!;
      return `${start.pid}>${end.pid}`;
    }).toSorted();
  };
  assertEquals(pairs("A1[0] intra"), ["0>1", "1>0", "2>3", "3>2"]);
  assertEquals(pairs("A1[0] inter"), ["0>2", "0>3", "1>2", "1>3", "2>0", "2>1", "3>0", "3>1"]);
});

Deno.test("chromeTrace() points arrows from each sender to its receivers, given the Programs", () => {
  const program = forwardProgram({ nodes: 2, ranksPerNode: 2, chunks: 1 });
  const timeline = makeTimeline(program, eventsOf(program), { name: "a" });
  const events = checkTrace(chromeTrace(timeline, { programs: [program] }));
  const starts = events.filter((e) => e.ph === "s" && e.name === "A2[0] inter");
  const targets = starts.map(({ id }) => events.find((e) => e.ph === "f" && e.id === id)!.pid);
  assertEquals(targets, starts.map(({ pid }) => (pid + 1) % 4));
});

Deno.test("chromeTrace() lists the transfers of chunks that move alike once a rank", () => {
  const program = forwardProgram({ ...shape, chunks: 8 });
  const { topology } = program.graph;
  const patterns = new Map<string, ReturnType<typeof trafficOf>["pattern"]>();
  let listed = 0;
  const order = program.order.map((task) => {
    if (!task.transfers) return task;
    const phase = `${task.label} ${task.lane}`;
    const { pattern, sliceBytes } = trafficOf(topology, task);
    if (!patterns.has(phase)) patterns.set(phase, pattern);
    const transfers = (rank: number) => (listed++, task.transfers!(rank));
    return { ...task, transfers, traffic: { pattern: patterns.get(phase)!, sliceBytes } };
  });
  const timeline = makeTimeline(program, eventsOf(program), { name: "run" });
  const plain = chromeTrace(timeline, { programs: [program] });
  assertEquals(chromeTrace(timeline, { programs: [{ ...program, order }] }), plain);
  assertEquals(listed, patterns.size * topology.ranks);
});

Deno.test("chromeTrace() draws no more arrows than asked for, of 64 ranks 20,000", () => {
  const timeline = forwardTimeline({ nodes: 8, ranksPerNode: 8, chunks: 8 });
  const arrows = (options: object) =>
    checkTrace(chromeTrace(timeline, options)).filter(({ ph }) => ph === "s");
  const all = arrows({});
  assert(all.length > 10_000 && all.length <= 20_000, `${all.length}`);
  assertEquals(new Set(all.map(({ pid }) => pid)).size, 64);
  assertEquals(arrows({ arrows: 10 }).length, 10);
  assertEquals(arrows({ arrows: 0 }).length, 0);
});

Deno.test("chromeTrace() of one rank is a file of Kineto's", () => {
  const trace = JSON.parse(chromeTrace(forwardTimeline(shape), { rank: 2 }));
  assertEquals(trace.distributedInfo, { backend: "nccl", rank: 2, world_size: 4 });
  const slices = trace.traceEvents.filter(({ ph }: { ph: string }) => ph !== "M");
  for (const { ph, cat, pid, name, args } of slices) {
    assertEquals([ph, cat, pid, args.device], ["X", "kernel", 2, 2]);
    assertEquals(name.startsWith("ncclKernel_"), "Collective name" in args, name);
    assert(args.stream > 0);
  }
});

Deno.test("chromeTrace() throws for unknown options, ranks that are not there and several runs", () => {
  const timeline = forwardTimeline(shape);
  const wrong: [object, string][] = [
    [{ arrow: 1 }, '"arrow" is not an option (programs, arrows, rank)'],
    [{ arrows: 1.5 }, "arrows is 1.5, not a whole number"],
    [{ rank: 4 }, "the timeline has no rank 4, it has 4 ranks"],
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => chromeTrace(timeline, options), SchemoeError, message);
  }
  const two = timelineOf([{ run: "a", start: 0, end: 1 }, { run: "b", start: 0, end: 1 }]);
  assertThrows(() => chromeTrace(two), SchemoeError, "it holds 2 runs");
});

Deno.test("writeChromeTrace() writes text, or gzip by the name of the file", async () => {
  const folder = await Deno.makeTempDir();
  const timeline = forwardTimeline(shape);
  await writeChromeTrace(timeline, `${folder}/a.json`);
  await writeChromeTrace(timeline, `${folder}/a.json.gz`);
  assertEquals(await Deno.readTextFile(`${folder}/a.json`), chromeTrace(timeline));
  const packed = await Deno.readFile(`${folder}/a.json.gz`);
  assertEquals(packed, await chromeTraceGzip(timeline));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  assertEquals(await new Response(stream).text(), chromeTrace(timeline));
  await Deno.remove(folder, { recursive: true });
});
