import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { openEngine } from "../../lib/engines/mod.ts";
import { gemm, productBytes } from "../../lib/kernels/mod.ts";
import { createLayer } from "../../lib/layer/mod.ts";
import { difference, makespan, roofline, skew, tokenMap } from "../../lib/timeline/mod.ts";
import { SchemoeError } from "../../lib/types.ts";
import { topology } from "../../lib/topology.ts";
import { forwardTimeline, type Row, timelineOf } from "./fixture.ts";
import { assertSvg } from "./snapshot.ts";

const shape = { nodes: 2, ranksPerNode: 2, chunks: 4 };
const [slow, fast] = [
  { name: "one by one", timeline: forwardTimeline({ ...shape, sequential: true }) },
  { name: "overlapped", timeline: forwardTimeline(shape) },
];
const send = (row: Row): Row => ({
  kind: "allToAll",
  lane: "inter",
  name: "A1[0]",
  label: "A1",
  ...row,
});
/** Rank 1 comes 10 after rank 0; both then transfer for 20. */
const late = timelineOf([
  send({ start: 0, wait: 10, end: 30, bytes: 40 }),
  { start: 0, end: 10, rank: 1, name: "C1[0]", kind: "compress" },
  send({ start: 10, end: 30, bytes: 60, rank: 1, deps: "C1[0]" }),
]);

Deno.test("skew() tells waiting for the last sender from transfer", () => {
  assertEquals(skew(late).table.objects(), [{
    pass: "forward",
    name: "A1[0]",
    waiting_ns: 5,
    transfer_ns: 20,
    longest_ns: 10,
    last_rank: 1,
    bytes: 60,
    bytes_per_second: 3e9,
  }]);
});

Deno.test("skew() counts a time once in which one phase waits and another transfers", () => {
  const two = timelineOf([
    send({ start: 0, wait: 10, end: 20, name: "A1[0] inter" }),
    send({ start: 0, wait: 0, end: 6, name: "A1[0] intra", lane: "intra" }),
    send({ start: 10, end: 20, name: "A1[0] inter", rank: 1 }),
    send({ start: 0, end: 6, name: "A1[0] intra", lane: "intra", rank: 1 }),
  ]);
  const [row] = skew(two).table.objects() as { waiting_ns: number; transfer_ns: number }[];
  assertEquals([row.waiting_ns, row.transfer_ns], [2, 16]);
});

Deno.test("skew() is as in its snapshot, light and dark", async () => {
  await assertSvg("skew", await skew(fast).svg());
  const dark = await skew(fast).svg({ theme: "dark" });
  assertStringIncludes(dark, 'fill="#0d1117"');
  assert(!dark.includes('fill="#ffffff"'));
});

Deno.test("difference() adds up to the difference of the makespans, by kind and by task", () => {
  for (const [a, b] of [[slow, fast], [fast, slow], [slow, slow]]) {
    const { table, tasks } = difference(a, b);
    for (const found of [table, tasks]) {
      const sum = (name: string) => (found.array(name) as number[]).reduce((x, y) => x + y, 0);
      assertAlmostEquals(sum("change_ns"), makespan(b) - makespan(a), 1e-3);
      assertAlmostEquals(sum("first_ns"), makespan(a), 1e-3);
      assertAlmostEquals(sum("second_ns"), makespan(b), 1e-3);
    }
  }
});

Deno.test("difference() says which task is longer, and which came onto the path", () => {
  const run = (rows: Row[]) => timelineOf(rows);
  const first = run([{ start: 0, end: 10, name: "E[0]" }, { start: 10, end: 12, name: "D2[0]" }]);
  const second = run([
    { start: 0, end: 17, name: "E[0]" },
    send({ start: 17, end: 20, deps: "E[0]" }),
    { start: 24, end: 26, name: "D2[0]", deps: "A1[0]" },
  ]);
  const changes = difference(first, second).tasks.objects() as Record<string, unknown>[];
  const of = (task: string) => changes.find(({ name }) => name === task);
  assertEquals([of("E[0]")?.change_ns, of("E[0]")?.how], [7, "longer"]);
  assertEquals([of("A1[0]")?.change_ns, of("A1[0]")?.how], [3, "came onto the path"]);
  assertEquals([of("D2[0]")?.change_ns, of("D2[0]")?.how], [0, "equal"]);
  assertEquals([of("between tasks")?.change_ns, of("between tasks")?.pass], [4, null]);
});

Deno.test("difference() is as in its snapshot", async () => {
  await assertSvg("difference", await difference(slow, fast).svg());
});

Deno.test("roofline() finds intensity, rate and the part of the roof", () => {
  const rows = [{ start: 0, end: 1000, flops: 8000, bytes: 2000, name: "E[0]" }];
  const peaks = { flopRate: "16 GFLOP/s", byteRate: "10 GB/s" };
  const { table } = roofline(timelineOf(rows), peaks);
  const [dot] = table.objects() as Record<string, number>[];
  assertEquals([dot.intensity, dot.flops_per_second], [4, 8e9]);
  assertAlmostEquals(dot.of_roof, 0.5);
});

Deno.test("roofline() takes the bytes of products from the kernels, and the roof from the topology", async () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
  const run = await layer.forward({ chunks: 2 });
  const dots = roofline(run).table.objects() as { name: string; bytes: number }[];
  // 4 experts: 8 rows of 32, weights of 32 x 64, 8 rows of 64, weights of 64 x 32, 8 rows of 32
  const words = 4 * (8 * 32 + 32 * 64 + 8 * 64 + 8 * 64 + 64 * 32 + 8 * 32);
  assertEquals(dots.find(({ name }) => name === "E[0]")?.bytes, 4 * words);
  assertStringIncludes(await roofline(run).svg(), "roof of a rank: 657 TFLOP/s");
});

Deno.test("productBytes() reads a result that is added to, and counts groups", () => {
  const matrix = (rows: number, columns: number, dtype?: "bfloat16") => ({
    buffer: "m",
    offset: 0,
    rows,
    columns,
    ld: columns,
    groups: 3,
    stride: rows * columns,
    ...(dtype ? { dtype } : {}),
  });
  const of = (a?: "bfloat16", b?: "bfloat16", c?: "bfloat16", add = false) =>
    productBytes(gemm(matrix(2, 5, a), matrix(5, 7, b), matrix(2, 7, c), { add }));
  const [f32, bf16] = [undefined, "bfloat16"] as const;
  assertEquals(of(f32, bf16, f32, true), 3 * (4 * 10 + 2 * 35 + 2 * 4 * 14));
  assertEquals(of(bf16, f32), 3 * (2 * 10 + 4 * 35 + 4 * 14));
  assertEquals(of(f32, f32, bf16), 3 * (4 * 10 + 4 * 35 + 2 * 14));
  assertEquals(of(bf16, bf16, bf16), 3 * (2 * 10 + 2 * 35 + 2 * 14));
  const ranges = [{ first: 0, rows: 1 }, { first: 1, rows: 0 }, { first: 1, rows: 4 }];
  const ragged = (columns: number) => ({ ...matrix(5, columns), stride: NaN, ranges });
  assertEquals(
    productBytes(gemm(ragged(2), matrix(2, 7), ragged(7))),
    4 * (5 * 2 + 3 * 14 + 5 * 7),
  );
});

Deno.test("roofline() is as in its snapshot", async () => {
  const rows = ["gate", "expert", "combine"].map((kind, i) => ({
    kind,
    name: kind,
    start: 1000 * i,
    end: 1000 * i + 900,
    flops: 10 ** (3 + i),
    bytes: 3000,
  }));
  const peaks = { flopRate: 2e12, byteRate: 2e10 };
  await assertSvg("roofline", await roofline(timelineOf(rows), peaks).svg());
});

Deno.test("tokenMap() counts over ranks, by layer and step", () => {
  const loads = { ranks: 2, experts: 3, table: Int32Array.of(1, 2, 0, 3, 0, 0) };
  const { table } = tokenMap([{ loads, layer: 1 }, { ...loads }, { loads: [0, 0, 0] }]);
  assertEquals(table.array("tokens"), [4, 2, 0, 0, 0, 0, 4, 2, 0]);
  assertEquals(table.array("over_mean"), [2, 1, 0, null, null, null, 2, 1, 0]);
  assertEquals(table.array("layer"), [0, 0, 0, 0, 0, 0, 1, 1, 1]);
  assertEquals(table.array("step"), [0, 0, 0, 1, 1, 1, 0, 0, 0]);
});

Deno.test("tokenMap() takes the loads of a run, and says what was run", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  const layer = createLayer(engine, { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 4 });
  const run = await layer.forward();
  const map = tokenMap([run]);
  assertEquals(tokenMap(run).table.objects(), map.table.objects());
  const counts = map.table.array("tokens") as number[];
  assertEquals(counts.length, 4);
  assertEquals(counts.reduce((a, b) => a + b), 32);
  assertStringIncludes(await map.svg(), "forward · sequential + linear");
});

Deno.test("tokenMap() is as in its snapshot", async () => {
  const counts = [0, 1].flatMap((layer) =>
    [0, 1, 2].map((step) => ({
      layer,
      step,
      loads: Array.from({ length: 8 }, (_, i) => (i * (step + 1) * (layer + 2)) % 9),
    }))
  );
  await assertSvg("token-map", await tokenMap(counts).svg());
});

Deno.test("views throw naming what they cannot use", () => {
  const table: [() => unknown, string][] = [
    [() => skew({} as never), "Cannot show the skew: give a run or a timeline"],
    [() => difference(slow, 3 as never), "the second one is no run: give a run or a timeline"],
    [() => roofline(slow), "the peak rates of a rank are not known"],
    [() => roofline(slow, { flopRate: "989 GB/s", byteRate: 1 }), 'flopRate is "989 GB/s"'],
    [() => roofline(slow, { flopRates: 1 } as never), 'did you mean "flopRate"?'],
    [() => tokenMap([]), "give a list of at least one run or routing"],
    [() => tokenMap([slow as never]), "item 0 has no loads, choices or table"],
    [() => tokenMap([{ loads: [1, -1] }]), "item 0 has -1 tokens for expert 1"],
    [() => tokenMap([{ loads: [1, 1] }, { loads: [1] }]), "layer 0, step 1 has 1 experts"],
  ];
  for (const [attempt, message] of table) {
    const { message: found } = assertThrows(attempt, SchemoeError);
    assertStringIncludes(found, message);
  }
});

Deno.test("pictures refuse options that they do not have", async () => {
  for (const options of [{ heigth: 3 }, { width: 3 }, { theme: "blue" }] as object[]) {
    let message = "";
    await skew(fast).svg(options).catch((error) => message = error.message);
    assertStringIncludes(message, "Cannot show the skew");
  }
});

Deno.test("pictures show themselves in a notebook, dark on dark pages", async () => {
  const shown = await skew(fast)[Symbol.for("Jupyter.display")]();
  assertStringIncludes(shown["image/svg+xml"], "<svg");
  assertStringIncludes(shown["text/html"], "data-schemoe-picture");
  assertStringIncludes(shown["text/plain"], "A1[0]");
});

Deno.test("tokenMap() takes training steps, layer by layer", () => {
  const layerLoads = [Int32Array.of(1, 0, 2, 3), Int32Array.of(4, 0, 0, 0)];
  const world = topology({ nodes: 1, ranksPerNode: 2 });
  const steps = [5, 6].map((step) => ({
    step,
    layerLoads,
    timeline: fast.timeline,
    topology: world,
  }));
  const { table } = tokenMap(steps);
  assertEquals(table.array("tokens"), [3, 3, 3, 3, 4, 0, 4, 0]);
  assertEquals(table.array("step"), [5, 5, 6, 6, 5, 5, 6, 6]);
});
