/**
 * Import of a PyTorch profiler's trace of 200,000 events beside `JSON.parse` of the same text, which
 * keeps all of it as objects; and export of a timeline.
 */
import { assertEquals } from "@std/assert";
import { chromeTrace, fromChromeTrace } from "../../lib/timeline/mod.ts";
import { forwardTimeline } from "../timeline/fixture.ts";

const EVENTS = 200_000;

/** Of four events one is an operator, one a launch, one an arrow and one a kernel, as Kineto has them. */
function kinetoTrace(events: number): string {
  const nccl = {
    "Collective name": "all_to_all",
    "In msg nelems": 4194304,
    "Out msg nelems": 4194304,
    "Group size": 8,
    dtype: "BFloat16",
    "Process Group Ranks": "[0, 1, 2, 3, 4, 5, 6, 7]",
  };
  const list = Array.from({ length: events / 4 }, (_, i) => {
    const ts = 4102 + i * 10.25;
    const cpu = { ph: "X", pid: 4711, tid: 4711, ts, dur: 8.125 };
    const shapes = [[4096], [8192, 4096], [4096, 4096], [], []];
    const stream = i % 10 === 0 ? 20 : 7;
    const work = {
      device: 0,
      context: 1,
      stream,
      correlation: i,
      grid: [16, 32, 1],
      block: [256, 1, 1],
    };
    const name = stream === 20
      ? "ncclDevKernel_SendRecv(ncclWork)"
      : `void gemm${i % 40}<256, 128>(Params)`;
    return [
      {
        ...cpu,
        cat: "cpu_op",
        name: "aten::addmm",
        args: { "External id": i, "Input Dims": shapes },
      },
      {
        ...cpu,
        cat: "cuda_runtime",
        name: "cudaLaunchKernel",
        dur: 3,
        args: { cbid: 211, correlation: i },
      },
      { ph: "s", id: i, pid: 4711, tid: 4711, ts, cat: "ac2g", name: "ac2g" },
      {
        ph: "X",
        cat: "kernel",
        name,
        pid: 0,
        tid: stream,
        ts: ts + 4,
        dur: 9.5,
        args: stream === 20 ? { ...work, ...nccl } : work,
      },
    ];
  });
  return JSON.stringify({ distributedInfo: { rank: 0 }, traceEvents: list.flat() }, null, 1);
}

const text = kinetoTrace(EVENTS);
const bytes = new TextEncoder().encode(text);
const timeline = forwardTimeline({ nodes: 8, ranksPerNode: 8, chunks: 8 });
const group = `a trace of ${EVENTS} events, ${(bytes.length / 1e6).toFixed(0)} MB`;

Deno.bench({
  name: "fromChromeTrace()",
  group,
  n: 5,
  warmup: 1,
  async fn() {
    assertEquals((await fromChromeTrace(bytes)).numRows(), EVENTS / 4);
  },
});

Deno.bench({
  name: "JSON.parse() of the whole text",
  group,
  baseline: true,
  n: 5,
  warmup: 1,
  fn() {
    assertEquals(JSON.parse(text).traceEvents.length, EVENTS);
  },
});

Deno.bench({
  name: `chromeTrace() of ${timeline.numRows()} rows on 64 ranks`,
  group: "export",
  n: 5,
  warmup: 1,
  fn() {
    chromeTrace(timeline);
  },
});
