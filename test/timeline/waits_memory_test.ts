import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { openEngine } from "../../lib/engines/mod.ts";
import { createLayer, createStack } from "../../lib/layer/mod.ts";
import { gantt, ganttHtml, ganttSvg, idle, memoryOverTime } from "../../lib/timeline/mod.ts";
import { memoryPlan } from "../../lib/memory/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, timelineOf } from "./fixture.ts";
import { assertSvg } from "./snapshot.ts";

const slow = topology({
  nodes: 2,
  ranksPerNode: 2,
  speed: [1, 1, 0.8, 1],
  intra: { bandwidth: "100 MB/s", latency: "20 us" },
  inter: { bandwidth: "25 MB/s", latency: "50 us" },
  processor: { flopRate: "20 GFLOP/s", byteRate: "4 GB/s" },
});
const sizes = { tokens: 128, modelDim: 64, hiddenDim: 128, experts: 4 };

Deno.test("gantt({ waits }) says in each gap what it waits for, and of whom", async () => {
  const send = { kind: "allToAll", lane: "inter", name: "A2[0]", label: "A2" };
  const timeline = timelineOf([
    { start: 0, end: 10, name: "E[0]" },
    { ...send, start: 10, wait: 5, end: 25, deps: "E[0]" },
    { start: 25, end: 30, name: "D2[0]", kind: "decompress", deps: "A2[0]" },
    { start: 0, end: 15, name: "E[0]", rank: 1 },
    { ...send, start: 15, end: 25, deps: "E[0]", rank: 1 },
  ]);
  const svg = await ganttSvg(timeline, { waits: true });
  const titles = [
    ...svg.match(/class="gantt-gaps".*?<\/g>/s)![0].matchAll(/<title>(.*?)<\/title>/gs),
  ]
    .map(([, title]) => title);
  assert(titles.includes("idle 15 ns: waits for A2[0] on the inter lane\nthen D2[0]"), `${titles}`);
  assert(titles.includes("waiting 5 ns for rank 1, the last to begin A2[0]"), `${titles}`);
  const gaps = idle(timeline).objects() as { cause: string }[];
  assertEquals(titles.length, gaps.filter(({ cause }) => cause !== "nothing left").length);
  assertMatch(svg, /gantt-waits.*>waits for A2\[0\]</s);
  assertMatch(svg, /gantt-waits.*>waits for rank 1</s);
});

Deno.test("gantt({ waits, memory }) is as in its snapshot", async () => {
  using engine = openEngine({ kind: "simulate", topology: slow });
  const layer = createLayer(engine, sizes);
  const run = await layer.forward({ scheduler: "optSche", chunks: 3, allToAll: "pipe" });
  await assertSvg("waits-memory", await ganttSvg(run, { waits: true, memory: true }));
});

Deno.test("gantt() without waits and memory has neither", async () => {
  const svg = await ganttSvg(forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 2 }));
  assert(!svg.includes("gantt-gaps") && !svg.includes("gantt-memory"));
});

Deno.test("ganttHtml({ waits }) gives the zoom each gap with its texts", async () => {
  const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 2 });
  const html = await ganttHtml(timeline, { waits: true });
  const [data] = JSON.parse(html.match(/application\/json">(.*?)<\/script>/s)![1]);
  assertEquals(data.gaps.length, 2 * data.gapTexts.length);
  assertEquals(
    html.match(/gantt-gaps".*?<\/g>/s)![0].match(/<rect/g)?.length,
    data.gapTexts.length,
  );
});

for (const pass of ["forward", "backward"] as const) {
  Deno.test(`memoryOverTime() of ${pass} stays within the plan, and above what is always there`, async () => {
    using engine = openEngine({ kind: "simulate", topology: slow });
    const layer = createLayer(engine, sizes);
    const forward = await layer.forward({ scheduler: "optSche", chunks: 3 });
    const run = pass === "forward"
      ? forward
      : await layer.backward({ scheduler: "optSche", chunks: 3 });
    const rows = memoryOverTime(run).objects() as Record<string, number>[];
    assertEquals([...new Set(rows.map(({ rank }) => rank))], [0, 1, 2, 3]);
    const { program } = run.ran.at(-1)!;
    const plan = memoryPlan(program);
    const { buffers, lives } = program.graph;
    const always = Object.keys(buffers).filter((name) =>
      /parameter|input/.test(lives?.[name] ?? "")
    )
      .reduce((sum, name) => sum + buffers[name], 0);
    const own = Object.values(plan.own).reduce((a, b) => a + b, 0);
    for (const { bytes, provided_bytes } of rows) {
      assertEquals(provided_bytes, own + plan.arena);
      assert(bytes <= provided_bytes && bytes >= always, `${bytes} of ${provided_bytes}`);
    }
    for (const rank of [0, 1, 2, 3]) {
      const steps = rows.filter((row) => row.rank === rank);
      steps.slice(1).forEach((step, i) => assertEquals(step.begin_ns, steps[i].end_ns));
      assert(new Set(steps.map(({ bytes }) => bytes)).size > 3);
    }
  });
}

Deno.test("memoryOverTime() of a forward pass ends with what backward needs and the output", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const run = await createLayer(engine, sizes).forward();
  const { buffers, lives } = run.ran.at(-1)!.program.graph;
  const kept = Object.keys(buffers).filter((name) => lives?.[name] !== "pass")
    .reduce((sum, name) => sum + buffers[name], 0);
  const rows = memoryOverTime(run).objects() as { rank: number; end_ns: number; bytes: number }[];
  const last = rows.filter(({ rank }) => rank === 0).at(-1)!;
  // buffers of the last task are in use to the end
  const { uses } = run.ran.at(-1)!.program.order.at(-1)!;
  const used = uses!.filter((name) => lives?.[name] === "pass")
    .reduce((sum, name) => sum + buffers[name], 0);
  assertEquals(last.bytes, kept + used);
});

Deno.test("gantt({ memory }) of a stack works too", async () => {
  using engine = openEngine({ kind: "simulate", topology: slow });
  const stack = createStack(engine, { layers: 2, layer: sizes });
  assertStringIncludes(
    await ganttSvg(await stack.forward({ chunks: 2 }), { memory: true }),
    "memory: at most ",
  );
});

Deno.test("memory needs Programs, and says so", async () => {
  const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 2 });
  const { message } = assertThrows(() => memoryOverTime(timeline), SchemoeError);
  assertStringIncludes(message, "Cannot show the memory: a timeline alone");
  let found = "";
  await gantt(timeline, { memory: true }).catch((error) => found = error.message);
  assertStringIncludes(found, "Cannot draw the memory: a timeline alone");
});
