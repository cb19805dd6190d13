import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { communication } from "../../lib/timeline/measures/communication.ts";
import { TIMELINE_COLUMNS } from "../../lib/timeline/table/columns.ts";
import { fromCSV, toCSV } from "../../lib/timeline/table/csv.ts";
import { ganttSvg } from "../../lib/timeline/chart/gantt.ts";
import { makespan } from "../../lib/timeline/measures/makespan.ts";
import { chromeTrace } from "../../lib/timeline/trace/export.ts";
import { chromeTraceGzip } from "../../lib/timeline/trace/file.ts";
import { fromChromeTrace, readChromeTrace } from "../../lib/timeline/trace/import.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, timelineOf } from "./fixture.ts";

type Row = Record<string, string | number | null>;
const rowsOf = async (...given: Parameters<typeof fromChromeTrace>) =>
  (await fromChromeTrace(...given)).objects() as Row[];
const trace = (events: unknown[], head: object = {}) =>
  JSON.stringify({ ...head, traceEvents: events });

/** Events of one GPU as PyTorch's profiler writes them. */
const gpu = (rank: number, base = "1759271234000000000") => {
  const kernel = { ph: "X", cat: "kernel", pid: 0, ts: 100, dur: 10 };
  const nccl = {
    "Collective name": "all_to_allv",
    "In msg nelems": 1000,
    "Out msg nelems": 1000,
    "Group size": 4,
    dtype: "BFloat16",
    "Process Group Ranks": "[0, 1, 2, 3]",
  };
  const events = [
    { ph: "M", name: "process_name", pid: 0, tid: 0, ts: 1, args: { name: "python" } },
    { ph: "X", cat: "cpu_op", name: "aten::mm", pid: 77, tid: 77, ts: 90, dur: 4, args: {} },
    {
      ...kernel,
      name: "ampere_sgemm<float>(int, (anonymous namespace)::P)",
      tid: 7,
      args: { stream: 7 },
    },
    {
      ...kernel,
      ts: 105.5,
      dur: 12.25 + rank,
      tid: 20,
      name: "ncclDevKernel_SendRecv(ncclWork)",
      args: { stream: 20, ...nccl },
    },
    {
      ...kernel,
      ts: 130,
      tid: 20,
      name: "ncclDevKernel_AllReduce_Sum_f32_RING_LL(ncclWork)",
      args: { stream: 20, ...nccl, "Collective name": "allreduce", dtype: "Float" },
    },
    {
      ...kernel,
      cat: "gpu_memcpy",
      name: "Memcpy HtoD",
      tid: 7,
      ts: 95,
      dur: 1,
      args: { bytes: 4096 },
    },
    {
      ph: "X",
      cat: "Trace",
      name: "PyTorch Profiler (0)",
      pid: "Spans",
      tid: "x",
      ts: 80,
      dur: 99,
    },
    { ph: "i", s: "g", name: "Record Window End", pid: "", tid: "", ts: 200 },
  ];
  const text = trace(events, { schemaVersion: 1, distributedInfo: { rank, world_size: 4 } });
  return text.replace("{", `{ "baseTimeNanoseconds": ${base}, `);
};

Deno.test("fromChromeTrace() gives back what chromeTrace() wrote", async (t) => {
  const timelines = {
    "a forward pass": forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 3 }),
    "odd names and times": timelineOf([
      { name: `"E, \\1"\n<x>`, start: 0.1 + 0.2, end: 1e15 / 3, flops: 2 ** 60, chunk: null },
      { start: 1, end: 2, deps: "a;b", label: "true", rank: 3, kind: "allReduce", lane: "x y" },
    ]),
  };
  for (const [what, timeline] of Object.entries(timelines)) {
    await t.step(what, async () => {
      for (const data of [chromeTrace(timeline), await chromeTraceGzip(timeline)]) {
        const back = await fromChromeTrace(data);
        assertEquals(back.columnNames(), [...TIMELINE_COLUMNS]);
        assertEquals(back.objects(), timeline.objects());
      }
    });
  }
  await t.step("a file for each rank", async () => {
    const timeline = timelines["a forward pass"];
    const files = [0, 1, 2, 3].map((rank) => chromeTrace(timeline, { rank }));
    assertEquals((await fromChromeTrace(files)).objects(), timeline.objects());
  });
});

Deno.test("fromChromeTrace() takes kernels, NCCL and copies from a trace of PyTorch's profiler", async () => {
  const rows = await rowsOf(gpu(2), { ranksPerNode: 2 });
  const short = rows.map(({ rank, node, lane, kind, label, start_ns, end_ns, bytes }) => [
    rank,
    node,
    lane,
    kind,
    label,
    start_ns,
    end_ns,
    bytes,
  ]);
  assertEquals(short, [
    [2, 1, "copy", "memcpy", "HtoD", 0, 1000, 4096],
    [2, 1, "compute", "opaque", "ampere_sgemm", 5000, 15_000, 0],
    [2, 1, "nccl stream 20", "allToAll", "allToAll", 10_500, 24_750, 1500],
    [2, 1, "nccl stream 20", "allReduce", "allReduce", 35_000, 45_000, 6000],
  ]);
  assertEquals(rows[1].name, "ampere_sgemm<float>(int, (anonymous namespace)::P)");
});

Deno.test("fromChromeTrace() puts files on one axis by their base, to the nanosecond", async () => {
  const rows = await rowsOf([gpu(1, "1759271234000000017"), gpu(0, "1759271234000000000")]);
  assertEquals(rows.map(({ rank }) => rank), [0, 0, 0, 0, 1, 1, 1, 1]);
  assertEquals([rows[0].start_ns, rows[4].start_ns], [0, 17]);
});

Deno.test("metrics, tables and the Gantt chart work on an imported trace", async () => {
  const timeline = await fromChromeTrace([gpu(0), gpu(1)]);
  assertEquals(makespan(timeline), 45_000);
  const { total, hidden } = communication(timeline);
  assertAlmostEquals(total, 2 * 22_250 + 1000);
  assertEquals(hidden, 2 * 4500);
  assert((await ganttSvg(timeline)).includes("ampere_sgemm"));
  assertEquals(fromCSV(toCSV(timeline)).objects(), timeline.objects());
  const again = await fromChromeTrace(chromeTrace(timeline));
  assertEquals(again.objects(), timeline.objects());
});

Deno.test("fromChromeTrace() reads any trace of slices, in whatever order and form", async () => {
  const rows = await rowsOf(
    `[
    {"ph":"E","name":"outer","pid":"b","tid":1,"ts":30},
    {"ph":"X","name":"no end","pid":"a","tid":"t","ts":"5.5"},
    {"ph":"B","name":"inner","pid":"b","tid":1,"ts":20},
    {"ph":"B","name":"outer","pid":"b","tid":1,"ts":10},
    {"ph":"E","pid":"b","tid":1,"ts":"25"},
    {"ph":"X","name":"no duration","pid":"a","tid":"t","ts":7,"dur":null},
    {"ph":"B","name":"open","pid":"a","tid":"t","ts":8},
    {"ph":"E","pid":"b","tid":9,"ts":1},
    {"ph":"M","name":"thread_name","pid":"a","tid":"t","args":{"name":"worker"}},
    {"ph":"C","name":"counter","pid":"a","ts":1,"args":{"n":1}},
  `,
    { name: "other" },
  );
  assertEquals(rows.map((r) => [r.run, r.rank, r.name, r.start_ns, r.end_ns]), [
    ["other", 0, "no end", 0, 0],
    ["other", 0, "no duration", 1500, 1500],
    ["other", 0, "open", 2500, 24_500],
    ["other", 1, "outer", 4500, 24_500],
    ["other", 1, "inner", 14_500, 19_500],
  ]);
  assertEquals(rows.map(({ lane }) => lane).slice(3), ["thread 1", "thread 1"]);
});

Deno.test("fromChromeTrace() reads many events in pieces, texts with quotes and brackets", async () => {
  const name = 'a "quoted" \\ [name] {x}';
  const events = Array.from(
    { length: 20_000 },
    (_, i) => ({ ph: "X", name, ts: i, dur: 1, pid: 0, tid: 0 }),
  );
  const timeline = await fromChromeTrace(trace(events, { other: { "]}": ["\\", '"'] } }));
  assertEquals(timeline.numRows(), 20_000);
  assertEquals(new Set(timeline.array("name") as string[]), new Set([name]));
  assertEquals(makespan(timeline), 20_000_000);
});

const slice = '{"ph":"X","name":"a","pid":0,"tid":0,"ts":1,"dur":1}';
const broken: Record<string, [Parameters<typeof fromChromeTrace>[0], string]> = {
  "nothing": ["", "given: it is not JSON: no object and no array, at byte 0"],
  "text": ["hello", "it is not JSON"],
  "no events": ['{"a": 1}', 'it has no array "traceEvents"'],
  "events that are none": ['{"traceEvents": 3}', 'it has no array "traceEvents"'],
  "cut off in an event": [
    `{"traceEvents":[${slice.slice(0, 30)}`,
    "it ends in the middle of a value",
  ],
  "cut off between events": [`{"traceEvents":[${slice},`, "it ends in the middle of a value"],
  "cut off in a text": ['{"trace', "it ends in the middle of a value"],
  "no comma": [`{"traceEvents":[${slice}${slice}]}`, '"," or "]" is missing before'],
  "an event that is not JSON": [`[${slice},{"ph":X}]`, 'event 1 is not JSON: {"ph":X}, at byte 54'],
  "an event that is no object": [`[${slice}, 7]`, "event 1 is 7, not an object"],
  "no time": ['[{"ph":"X","name":"k","dur":1}]', 'event 0 ("k") has ts undefined, not a number'],
  "an infinite time": ['[{"ph":"X","name":"k","ts":1e999,"dur":1}]', "has ts null, not a number"],
  "a duration of text": [
    '[{"ph":"X","name":"k","ts":1,"dur":"long"}]',
    'has dur "long", not a number',
  ],
  "no slices": ['{"traceEvents":[{"ph":"i","ts":1}]}', "it has no slices"],
  "half a gzip": [new Uint8Array([0x1f, 0x8b, 8, 0, 0]), "it cannot be unpacked"],
  "not bytes": [[7 as unknown as string], "it is neither text nor bytes"],
  "an empty list": [[], "give the text or bytes of one trace"],
  "two of a rank": [[gpu(1), gpu(1)], "0 and 1 are both of rank 1; say which"],
  "a newer version": [
    '{"schemoe":{"version":9,"run":"a"},"traceEvents":[]}',
    "of version 9, this package",
  ],
  "another's version": ['{"schemoe":7,"traceEvents":[]}', 'its "schemoe" has no version and run'],
  "our own, changed": [
    chromeTrace(forwardTimeline({ nodes: 1, ranksPerNode: 2, chunks: 1 })).replace(
      '"node":0',
      '"node":"0"',
    ),
    'has node "0"; it was changed',
  ],
};

Deno.test("fromChromeTrace() says what is wrong with a trace, and where", async (t) => {
  for (const [what, [data, message]] of Object.entries(broken)) {
    await t.step(what, async () => {
      const error = await assertRejects(() => fromChromeTrace(data), SchemoeError);
      assert(error.message.startsWith("Cannot import the trace"), error.message);
      assert(error.message.includes(message), error.message);
    });
  }
  await t.step("a file that is not there", async () => {
    await assertRejects(
      () => readChromeTrace("no/such.json"),
      SchemoeError,
      "trace no/such.json: ",
    );
  });
  for (const options of [{ rank: 1 }, { ranks: [0, 1] }, { ranks: [-1] }, { ranksPerNode: 0 }]) {
    await t.step(JSON.stringify(options), async () => {
      await assertRejects(() => fromChromeTrace(`[${slice}]`, options), SchemoeError);
    });
  }
});
