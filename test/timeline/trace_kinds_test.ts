/** Traces as other tools write them: the right rows, or an error that names file, place and value. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromChromeTrace, type TraceImportOptions } from "../../lib/timeline/trace/import.ts";
import { communication } from "../../lib/timeline/measures/communication.ts";
import {
  busBandwidth,
  busy,
  explain,
  exposure,
  idle,
  makespan,
  overlap,
  stragglers,
  verdict,
} from "../../lib/timeline/mod.ts";
import { ganttSvg } from "../../lib/timeline/chart/gantt.ts";
import { chromeTrace } from "../../lib/timeline/trace/export.ts";
import { SchemoeError } from "../../lib/types.ts";

type Event = Record<string, unknown>;
const kernel = (name: unknown, ts: unknown, dur: unknown, more: Event = {}): Event => ({
  ph: "X",
  cat: "kernel",
  name,
  pid: 0,
  tid: 7,
  ts,
  dur,
  args: { stream: 7 },
  ...more,
});
const trace = (events: Event[], head: object = {}) =>
  JSON.stringify({ ...head, traceEvents: events });

/** Rows, ranks, communication in microseconds and the part of it that is hidden. */
async function measured(
  traces: Parameters<typeof fromChromeTrace>[0],
  options?: TraceImportOptions,
): Promise<[rows: number, ranks: number, total: number, hidden: number]> {
  const timeline = await fromChromeTrace(traces, options);
  const { ranks, total, hidden } = communication(timeline);
  return [timeline.numRows(), ranks.numRows(), total / 1000, hidden / 1000];
}

/** Whether a kernel of this name communicates. */
async function communicates(name: string, options?: TraceImportOptions): Promise<boolean> {
  const [, , total] = await measured(trace([kernel(name, 0, 10)]), options);
  return total === 10;
}

const COMMUNICATION = [
  "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)",
  "ncclKernel_AllReduce_RING_LL_Sum_float(ncclWorkElem)",
  "void ncclDevKernel_Generic_1<true>(ncclDevKernelArgsStorage<4096ul>)",
  "ncclSymkDevKernel_AllGather_LL(ncclSymkDevWorkArgs4K)",
  "_Z27ncclDevKernel_AllGather_RINGv",
  "rcclGenericKernel<1, false>(ncclDevComm*)",
  "mscclKernel_Sum_float_LL(ncclDevComm*)",
  "void mscclpp::allreduce7<int>(int*)",
  "void deep_ep::intranode::dispatch<8, 768, 8192>(int4*, float*)",
  "void deep_ep::internode::combine<false, 8>(void*)",
  "void deep_ep::internode_ll::dispatch<true, false, 7168>(void*, int*)",
  "void deep_ep::internode::cached_notify<false>(int)",
  "deep_ep::intranode::barrier<8>(int**, int)",
  "_ZN7deep_ep9internode8dispatchILb0ELi8EEEvP4int4Pf",
  "_ZN7deep_ep12internode_ll7combineILb1EEEvPv",
  "void hybrid_ep::dispatch_kernel<bf16>(param)",
  "void pplx::(anonymous namespace)::dispatchKernel<true>(int)",
  "mori::moe::EpCombineInterNodeKernel<float>(args)",
  "uccl::ep::internode::combine<true>()",
  "void ep::intranode::dispatch<8>(int4*)",
  "void nvshmemi_barrier_kernel(int)",
  "rocshmem_alltoall_kernel",
  "void vllm::cross_device_reduce_2stage<__nv_bfloat16, 8>(vllm::RankData*)",
  "void tensorrt_llm::kernels::twoShotAllReduceKernel<half, 8>(P)",
  "void tensorrt_llm::kernels::mnnvl_throughput::moeA2ADispatchKernel<1>(P)",
  "(anonymous namespace)::multimem_all_gather_kernel<16>(char*)",
  "kuserbuffers_pushrecv(int, int)",
  "void my_lib::all_to_all_v<4>(int*)",
  "hcom_allReduce__123_0",
  "void hierarchical_a2a_kernel<2>(int*)",
  "void p2p_send_kernel(char*)",
];
const COMPUTATION = [
  "void deep_ep::layout::get_dispatch_layout<256, 32, 8>(long const*)",
  "deep_ep::internode::get_dispatch_layout(int)",
  "void hybrid_ep::permute_kernel<bf16>(P)",
  "void moe_permute_for_dispatch<float>(float*)",
  "tutel_fast_dispatch_local(float*)",
  "void combine_rows<float>(float*)",
  "void softmax_warp_all_reduce<float>(float*)",
  "blockAllReduceSum(float*)",
  "triton_poi_fused_all_gather_into_tensor_wait_tensor_3",
  "void at::native::elementwise_kernel<4, allreduce_functor>(int)",
  "void cutlass::Kernel2<nccl_like<int>>(P)",
  "__amd_rocclr_copyBuffer",
  "deepep_permute_triton_kernel",
  "deepep_post_reorder_triton_kernel",
  "_fwd_kernel_ep_scatter_1",
  "memory_kernel",
  "gemm",
  "",
];

Deno.test("fromChromeTrace() knows kernels of communication libraries by their names", async (t) => {
  for (const name of COMMUNICATION) {
    await t.step(name, async () => assertEquals(await communicates(name), true));
  }
  for (const name of COMPUTATION) {
    await t.step(`not ${name}`, async () => assertEquals(await communicates(name), false));
  }
});

Deno.test("fromChromeTrace() takes names of kernels that communicate or compute", async () => {
  assertEquals(await communicates("swap_tokens", { communication: ["swap"] }), true);
  assertEquals(await communicates("swap_tokens", { communication: [/^SWAP/i] }), true);
  assertEquals(await communicates("swap_tokens", { communication: ["other"] }), false);
  assertEquals(await communicates("ncclLocalCopy", { computation: ["LocalCopy"] }), false);
  for (const communication of ["swap", [""], [3]] as unknown as string[][]) {
    await assertRejects(
      () => fromChromeTrace(trace([kernel("a", 0, 1)]), { communication }),
      SchemoeError,
      "not a list of texts and regular expressions",
    );
  }
});

Deno.test("fromChromeTrace() takes names of copies between GPUs", async () => {
  const copy = {
    ...kernel("Memcpy PtoP (Device -> Device)", 5, 10),
    cat: "gpu_memcpy",
    args: { stream: 20, bytes: 4096 },
  };
  const text = trace([kernel("gemm", 0, 10), copy]);
  assertEquals(communication(await fromChromeTrace(text)).total, 0);
  const timeline = await fromChromeTrace(text, { communication: ["Memcpy PtoP"] });
  const { total, hidden } = communication(timeline);
  assertEquals([total, hidden], [10_000, 5000]);
  assertEquals([timeline.get("kind", 1), timeline.get("bytes", 1)], ["allToAll", 4096]);
});

Deno.test("fromChromeTrace() gives dispatch and combine of DeepEP as all-to-all with their names", async () => {
  const rows = (await fromChromeTrace(trace([
    kernel("gemm", 0, 100),
    kernel("void deep_ep::internode::dispatch<false, 8>(int4*)", 50, 100, { args: { stream: 9 } }),
    kernel("void deep_ep::internode_ll::combine<true, 9>(void*)", 200, 50, { args: {} }),
  ]))).objects() as Event[];
  assertEquals(rows.map(({ kind, label, lane }) => [kind, label, lane]), [
    ["opaque", "gemm", "compute"],
    ["allToAll", "dispatch", "communication stream 9"],
    ["allToAll", "combine", "communication stream 7"],
  ]);
});

const NCCL = "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)";

Deno.test("fromChromeTrace() reads categories of every age, in any spelling", async (t) => {
  const runtime = { ph: "X", cat: "Runtime", name: "cudaLaunchKernel", pid: 9, tid: 9, ts: -50 };
  const spellings = [
    ["kernel", "gpu_memcpy", "gpu_memset"],
    ["Kernel", "Memcpy", "Memset"],
    ["KERNEL", "GPU_Memcpy", "Gpu Memset"],
    ["concurrent_kernel", "memcpy,cuda", "memset"],
  ];
  for (const [k, copy, set] of spellings) {
    await t.step(k, async () => {
      const events = [
        { ...runtime, dur: 400, args: null },
        kernel("gemm", 0, 100, { cat: k }),
        kernel(NCCL, 50, 100, { cat: k, tid: 20 }),
        kernel("Memcpy HtoD", 150, 10, { cat: copy, args: { bytes: "4096" } }),
        kernel("Memset", 165, 5, { cat: set, args: [] }),
      ];
      assertEquals(await measured(trace(events)), [4, 1, 100, 50]);
      const timeline = await fromChromeTrace(trace(events));
      assertEquals(makespan(timeline), 170_000);
      assertEquals([...timeline.array("bytes")], [0, 0, 4096, 0]);
    });
  }
});

Deno.test("fromChromeTrace() takes numbers as text and text as numbers, null and nested fields", async () => {
  const events = [
    kernel(17, "1e1", "5.5", { tid: "7", args: { stream: { id: 3 }, bytes: null } }),
    kernel(null, 20, null, { pid: "0", tid: null, args: "none" }),
    kernel({ deep: ["a"] }, " 30 ", 1, { pid: 0.0, args: { stream: null } }),
    kernel(true, 40, "2", { args: { "Collective name": ["all_to_all"], "Group size": "4" } }),
    { ph: "M", name: "thread_name", pid: "0", tid: 7, args: { name: 3 } },
  ];
  const rows = (await fromChromeTrace(trace(events))).objects() as Event[];
  assertEquals(rows.map(({ name, rank, start_ns, end_ns }) => [name, rank, start_ns, end_ns]), [
    ["17", 0, 0, 5500],
    ["", 0, 10_000, 10_000],
    ['{"deep":["a"]}', 0, 20_000, 21_000],
    ["true", 0, 30_000, 32_000],
  ]);
});

Deno.test("fromChromeTrace() pairs begin and end where a process is 3 in one and text in the other", async () => {
  const rows = (await fromChromeTrace(JSON.stringify([
    { ph: "M", name: "thread_name", pid: "3", tid: "1", args: { name: "worker" } },
    { ph: "B", name: "a", pid: 3, tid: 1, ts: 1 },
    { ph: "E", pid: "3", tid: "1", ts: 4 },
  ]))).objects() as Event[];
  assertEquals(rows.map(({ lane, end_ns }) => [lane, end_ns]), [["worker", 3000]]);
});

Deno.test("fromChromeTrace() takes numeric and text pids of one process as one rank", async () => {
  const pairs = [[0, "0"], ["3", 3], [3, "3.0"], [null, 0], ["gpu", " gpu "]];
  const odd = [["007", 7], [1.5, "1.50"], [-1, "-1"], [2 ** 63, "9223372036854775809"]];
  for (const [a, b] of [...pairs, ...odd]) {
    const events = [kernel("gemm", 0, 100, { pid: a }), kernel(NCCL, 50, 100, { pid: b })];
    assertEquals(await measured(trace(events)), [2, 1, 100, 50], `${a} and ${b}`);
  }
});

Deno.test("fromChromeTrace() takes the kernels of profiles from before Kineto, without categories", async () => {
  const cpu = { ph: "X", tid: 0, pid: "CPU functions", args: {} };
  const gpu = { ph: "X", tid: 0, pid: "CUDA functions", args: {} };
  const events = [
    { ...cpu, name: "aten::mm", ts: 1, dur: 50 },
    { ...cpu, ph: "s", name: "aten::mm", ts: 1, id: 0, cat: "cpu_to_cuda" },
    { ...gpu, name: "sgemm", ts: 10, dur: 100 },
    { ...gpu, name: "ncclKernel_AllReduce", ts: 60, dur: 100 },
  ];
  assertEquals(await measured(JSON.stringify(events)), [2, 1, 100, 50]);
});

Deno.test("fromChromeTrace() reads as many processes as there are", async () => {
  const events = Array.from({ length: 150_000 }, (_, pid) => ({ ph: "X", name: "a", pid, ts: 0 }));
  const timeline = await fromChromeTrace(JSON.stringify(events));
  assertEquals(timeline.get("rank", 149_999), 149_999);
});

Deno.test("fromChromeTrace() refuses bytes that cannot be, and names the event", async () => {
  const nccl = {
    "Collective name": "_allgather_base",
    "Group size": 1e300,
    "In msg nelems": 1e300,
  };
  for (
    const [more, bytes] of [
      [{ args: { ...nccl, dtype: "Double" } }, "Infinity"],
      [{ cat: "gpu_memcpy", args: { bytes: "1e300" } }, "1e+300"],
    ] as const
  ) {
    await assertRejects(
      () => measured(trace([kernel("gemm", 0, 1), kernel("k", 0, 1, more)])),
      SchemoeError,
      `Cannot import the trace given: event 1 ("k") moves ${bytes} bytes, more than 2^53`,
    );
  }
});

const work = (pid: unknown, at: number) => [
  kernel("gemm", at, 100, { pid }),
  kernel(NCCL, at + 100, 100, { pid, tid: 20 }),
];

Deno.test("fromChromeTrace() tells the ranks of a merged file apart", async (t) => {
  const info = (rank: unknown, world_size = 2) => ({ distributedInfo: { rank, world_size } });
  const events = [...work("[EP00] 0", 0), ...work("[EP01] 0", 100)];
  const apart = [4, 2, 200, 0];
  await t.step("one head", async () => {
    assertEquals(await measured(trace(events, info(0))), apart);
    assertEquals(await measured(trace(events, info("1"))), apart);
  });
  await t.step("several heads", async () => {
    const [a, b] = [
      JSON.stringify(info(5).distributedInfo),
      JSON.stringify(info(4).distributedInfo),
    ];
    const body = `"traceEvents":${JSON.stringify(events)}`;
    const texts = [
      `{"distributedInfo":[${a},${b}],${body}}`,
      `{"distributedInfo":${a},"distributedInfo":${b},${body}}`,
    ];
    for (const text of texts) {
      assertEquals(await measured(text), apart);
      const rows = (await fromChromeTrace(text)).objects() as Event[];
      assertEquals(rows.map(({ rank, start_ns }) => [rank, start_ns]), [
        [4, 100_000],
        [4, 200_000],
        [5, 0],
        [5, 100_000],
      ]);
    }
  });
  await t.step("no head, and numbers within names", async () => {
    const ten = Array.from({ length: 11 }, (_, i) => work(`rank ${i}`, 100 * i)).flat();
    const rows = (await fromChromeTrace(trace(ten))).objects() as Event[];
    assertEquals(
      rows.map(({ rank, start_ns }) => [rank, start_ns]).filter(([rank]) => rank === 10),
      [[10, 1e6], [10, 1.1e6]],
    );
  });
  await t.step("processes that are ranks of the world", async () => {
    const rows = await fromChromeTrace(trace([...work(2, 0), ...work(3, 0)], info(2, 8)));
    assertEquals([...new Set(rows.array("rank") as number[])], [2, 3]);
  });
  await t.step("copies to another GPU make no rank", async () => {
    const copy = kernel("Memcpy PtoP", 0, 1, { cat: "gpu_memcpy", pid: 1 });
    assertEquals(await measured(trace([...work(0, 0), copy], info(0))), [3, 1, 100, 0]);
  });
  await t.step("processes that are devices of one rank", async () => {
    const both = [...work(0, 0), ...work(1, 100)];
    const devices = await measured(trace(both, info(0)), { processes: "devices" });
    assertEquals(devices, [4, 1, 200, 100]);
    assertEquals(await measured(trace(both, info(0)), { ranks: [0] }), [4, 1, 200, 100]);
  });
  await t.step("a merged file for each node", async () => {
    const node = (rank: number) => trace([...work(0, 0), ...work(1, 100)], info(rank, 4));
    assertEquals((await measured([node(0), node(2)]))[1], 4);
    await assertRejects(
      () => measured([node(0), node(1)]),
      SchemoeError,
      'are both of rank 1; say which with "ranks"',
    );
    assertEquals((await measured([node(0), node(1)], { ranks: [0, 1] }))[1], 2);
    const headless = trace([...work(0, 0), ...work(1, 100)]);
    await assertRejects(
      () => measured([headless, headless]),
      SchemoeError,
      "kernels of 2 processes are in it, and it names no rank; say",
    );
    const options = { ranks: [0, 2], processes: "ranks" } as const;
    assertEquals(await measured([headless, headless], options), [8, 4, 400, 0]);
  });
});

Deno.test("fromChromeTrace() reads base times to the nanosecond, in whatever form", async () => {
  const file = (rank: number, base: string) =>
    `{"baseTimeNanoseconds":${base},"distributedInfo":{"rank":${rank}},"traceEvents":[` +
    `${JSON.stringify(kernel("k", 5, 1))}]}`;
  const forms: [string, number][] = [
    ["1735632360000500017", 500_017],
    ["1735632360000500017.0", 500_017],
    ["1735632360000500017.9", 500_017],
    ['"1735632360000500017"', 500_017],
    ['" 1735632360000500017 "', 500_017],
    ["1.735632360000500017e18", 500_017],
    ['"1.735632360000500017E+18"', 500_017],
    ["17356323600005000170e-1", 500_017],
    ["1735632360000000000", 0],
  ];
  for (const [base, shift] of forms) {
    const timeline = await fromChromeTrace([file(0, "1735632360000000000"), file(1, base)]);
    assertEquals([...timeline.array("start_ns")], [0, shift], base);
  }
  const refused = ["soon", '"soon"', "1e400", "{}", "true", "99999999999999999999", "NaN", '""'];
  for (const base of refused) {
    const error = await assertRejects(() => fromChromeTrace(file(0, base)), SchemoeError);
    assertStringIncludes(error.message, "baseTimeNanoseconds");
    assertStringIncludes(error.message, base);
  }
  for (const absent of ["null", "0"]) {
    assertEquals(await fromChromeTrace(file(0, absent)).then((t) => t.numRows()), 1);
  }
  await assertRejects(
    () => fromChromeTrace([file(0, "1735632360000000000"), file(1, "null")]),
    SchemoeError,
    'they begin 55 years apart; 1 has no "baseTimeNanoseconds", which others have',
  );
});

Deno.test("fromChromeTrace() reads what Python and C++ write for numbers that JSON lacks", async () => {
  const text = (value: string) =>
    trace([kernel("gemm", 0, 100, { args: { bw: 0 } }), kernel(NCCL, 50, 100)])
      .replace('"bw":0', `"bw":${value},"path":"C:\\users\\x"`);
  for (
    const value of ["NaN", "-Infinity", "Infinity", "inf", "-inf", "nan", "-nan(ind)", ".5", "007"]
  ) {
    assertEquals(await measured(text(value)), [2, 1, 100, 50], value);
  }
  const raw = text("1").replace("gemm", "ge\tm\nm");
  assertEquals((await fromChromeTrace(raw)).get("name", 0), "ge\tm\nm");
  const needed: [string, string][] = [
    ['"dur":NaN', 'event 0 ("k") has dur "NaN", not a number'],
    ['"dur":inf', 'has dur "inf", not a number'],
    ['"dur":-5', "has dur -5, below 0"],
    ['"ts":1e308', "has ts 1e+308, more than 2^53 microseconds"],
    ['"ts":null', "has ts null, not a number"],
    ['"ts":"5 us"', 'has ts "5 us", not a number'],
    ['"ts":"0x10"', 'has ts "0x10", not a number'],
    ['"ts":[1]', "has ts [1], not a number"],
    ['"ts":true', "has ts true, not a number"],
  ];
  for (const [field, message] of needed) {
    const event = '{"ph":"X","cat":"kernel","name":"k","ts":1,"dur":1}'
      .replace(field.startsWith('"ts"') ? '"ts":1' : '"dur":1', field);
    const error = await assertRejects(() => fromChromeTrace(`[${event}]`), SchemoeError);
    assertStringIncludes(error.message, message);
  }
});

Deno.test("fromChromeTrace() shows the text that is no JSON, wherever it is in an event", async () => {
  const event = JSON.stringify(kernel("k".repeat(300), 0, 1)).replace("}}", ',"x":oops}}');
  const error = await assertRejects(() => fromChromeTrace(`[${event}]`), SchemoeError);
  assertStringIncludes(error.message, "event 0 is not JSON");
  assertStringIncludes(error.message, "oops");
  const deep = `[{"ph":"X","name":"k","ts":${"[".repeat(1e5)}${"]".repeat(1e5)},"dur":1}]`;
  await assertRejects(() => fromChromeTrace(deep), SchemoeError, "has ts ");
  const deeper = `[{"ph":"X","name":"k","ts":1,"args":${"[".repeat(5e6)}${"]".repeat(5e6)}}]`;
  await assertRejects(
    () => fromChromeTrace(deeper),
    SchemoeError,
    "more than 200000 values are nested, at byte 200035",
  );
});

Deno.test("fromChromeTrace() needs no times of events that are no rows", async () => {
  const odd = { ph: "X", cat: "cpu_op", name: "aten::mm", pid: 9, tid: 9, dur: -1 };
  assertEquals(await measured(trace([odd, kernel("gemm", 0, 1)])), [1, 1, 0, 0]);
  await assertRejects(() => measured(trace([odd])), SchemoeError, 'event 0 ("aten::mm") has ts');
});

Deno.test("fromChromeTrace() refuses what would be lost in silence", async () => {
  const one = trace([kernel("gemm", 0, 1)]);
  await assertRejects(
    () => fromChromeTrace(one + one),
    SchemoeError,
    `follows the trace; give each trace as a file of its own, at byte ${one.length}`,
  );
  await assertRejects(
    () => fromChromeTrace(`[${JSON.stringify(kernel("k", 0, 1))}] 7`),
    SchemoeError,
    '"7" follows the trace',
  );
  await assertRejects(
    () => fromChromeTrace(one.replace("{", '{"traceEvents":[],')),
    SchemoeError,
    'it has two arrays "traceEvents"',
  );
  for (const [name, start] of [["ZIP", "PK\x03\x04"], ["bzip2", "BZh9"]]) {
    const bytes = new TextEncoder().encode(`${start}rest`);
    await assertRejects(() => fromChromeTrace(bytes), SchemoeError, name);
  }
  await assertRejects(
    () => fromChromeTrace(trace([kernel("k", 0, 1)], { distributedInfo: { rank: "x" } })),
    SchemoeError,
    'its "distributedInfo" has rank "x", not an integer of at least 0',
  );
});

Deno.test("measures hold for kernels that overlap on one stream and on several", async () => {
  const timeline = await fromChromeTrace(trace([
    kernel("a", 0, 100),
    kernel("b", 20, 10),
    kernel("c", 90, 60),
    kernel("d", 30, 100, { tid: 8, args: { stream: 8 } }),
    kernel(NCCL, 100, 100, { tid: 20, args: { stream: 20 } }),
    kernel(NCCL, 140, 100, { tid: 20, args: { stream: 20 } }),
  ], { distributedInfo: { rank: 0 } }));
  // Computation 0..150, communication 100..240.
  const { total, hidden, exposed } = communication(timeline);
  assertEquals([total, hidden, exposed], [140_000, 50_000, 90_000]);
  assertEquals(makespan(timeline), 240_000);
  assertEquals([...busy(timeline).array("busy_ns")], [150_000, 140_000]);
  const lost = exposure(timeline).array("exposed_ns") as Float64Array;
  assertEquals(lost.reduce((a, b) => a + b, 0), 90_000);
  for (const measure of [idle, overlap, stragglers, busBandwidth]) {
    assert(!JSON.stringify(measure(timeline).objects()).includes("NaN"), measure.name);
  }
  assert(!/NaN|undefined/.test(`${verdict({ timeline })} ${explain({ timeline })}`));
  assert(!/NaN|undefined/.test(await ganttSvg(timeline)));
  const again = await fromChromeTrace(chromeTrace(timeline));
  assertEquals(again.objects(), timeline.objects());
});

Deno.test("fromChromeTrace() of a damaged trace throws nothing but SchemoeError, or measures", async () => {
  const own = chromeTrace(await fromChromeTrace(trace(work(0, 0))));
  const texts = [trace([...work(0, 0), ...work("1", 5)], { distributedInfo: { rank: 0 } }), own];
  let state = 3;
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
  let read = 0;
  for (let i = 0; i < 600; i++) {
    const bytes = new TextEncoder().encode(texts[i % 2]);
    for (let n = 0; n <= random(3); n++) bytes[random(bytes.length)] = 32 + random(95);
    try {
      const timeline = await fromChromeTrace(bytes);
      read++;
      assert(Number.isFinite(makespan(timeline)) && Number.isFinite(communication(timeline).total));
      assert(!/NaN|undefined/.test(verdict({ timeline })));
    } catch (error) {
      assert(error instanceof SchemoeError, `${error} of ${new TextDecoder().decode(bytes)}`);
    }
  }
  assert(read > 50 && read < 550, `${read} of 600 were read`);
});
