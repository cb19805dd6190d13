import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { resolveLayer } from "../../lib/blocks/mod.ts";
import { balancedLayer, balancedSize, balanceText } from "../../lib/tasks/bench/calibrate.ts";
import { laneTimes } from "../../lib/tasks/bench/causes.ts";
import { busBytesPerSecond, exchanges, secondsOfOne } from "../../lib/tasks/bench/exchange.ts";
import { exchangeColumns } from "../../lib/tasks/bench/nccl_exchange.ts";
import { parsePlain } from "../../lib/tasks/bench/nccl_plain.ts";
import { overlapRows } from "../../lib/tasks/bench/nccl_overlap.ts";
import { LayerParts, onlyTasks } from "../../lib/tasks/bench/parts.ts";
import { hierarchical2d, openEngine, pipe, topK, topology } from "../../mod.ts";

const world = topology({ nodes: 2, ranksPerNode: 2 });
const SIZES = { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 4, gate: topK({ k: 2 }) };

Deno.test("onlyTasks() keeps what tasks depend on through those that are left out", () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const parts = new LayerParts(engine, resolveLayer(SIZES, world), { allToAll: pipe });
  const graph = onlyTasks(parts.graphs.forward, (task) => !task.transfers);
  assert(graph.tasks.every(({ transfers }) => transfers === undefined));
  graph.tasks.forEach(({ id }, i) => assertEquals(id, i));
  const named = (label: string) => graph.tasks.find((task) => task.label === label)!;
  const before = (label: string) => named(label).after.map((id) => graph.tasks[id].label);
  assertEquals([before("D1"), before("E"), before("combine")], [["dispatch"], ["D1"], ["C2"]]);
  const free = onlyTasks(parts.graphs.forward, () => true, { free: true });
  assertEquals(free.tasks.length, parts.graphs.forward.tasks.length);
  assert(free.tasks.every(({ after }) => after.length === 0));
});

Deno.test("balancedSize() finds where computation takes what communication takes", () => {
  const at = (size: number) => ({ size, computation: 2 + 0.01 * size, communication: 12 });
  const rounding = { multiple: 8, most: 1e6 };
  assertEquals(balancedSize([at(100), at(300)], rounding), 1000);
  assertEquals(balancedSize([at(100), at(300)], { multiple: 8, most: 640 }), 640);
  assertEquals(balancedSize([{ ...at(100), communication: 0 }, at(0)], rounding), 400);
});

Deno.test("balancedLayer() makes computation and communication take the same", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const { hiddenDim: _, ...sizes } = SIZES;
  const { config, balance } = await balancedLayer(engine, sizes, {
    tried: [64, 512],
    multiple: 8,
    most: 1 << 14,
    devices: [0, 1, 2, 3],
  });
  assert(config.hiddenDim > 8);
  assert(balance.computation > 0 && balance.communication > 0 && balance.gain >= 1);
  const { computation, communication } = balance;
  assertAlmostEquals(computation, communication, 0.2 * communication);
});

Deno.test("balancedLayer() takes the least size where computation always takes longer", async () => {
  const fast = topology({ nodes: 1, ranksPerNode: 2, intra: { alpha: 0, beta: 1e-15 } });
  using engine = openEngine({ kind: "simulate", topology: fast });
  const { hiddenDim: _, ...sizes } = SIZES;
  const options = { tried: [64, 512] as const, multiple: 16, most: 1 << 14, devices: [0, 1] };
  const found = await balancedLayer(engine, sizes, options);
  assertEquals(found.config.hiddenDim, 16);
  assertEquals(balanceText(found, options).unbalanced, "hidden 16 is the least that is tried");
});

Deno.test("exchangeColumns() names times and rates by transport", () => {
  const columns = [
    { name: "", seconds: 2e-4 },
    { name: "plain", seconds: 1e-4 },
    { name: "engines", seconds: 4e-4 },
  ];
  assertEquals(exchangeColumns(columns, (seconds) => 1e-3 / seconds), {
    us: 200,
    busGBs: 5,
    plainUs: 100,
    plainBusGBs: 10,
    enginesUs: 400,
    enginesBusGBs: 2.5,
    ofPlain: 0.5,
  });
});

Deno.test("overlapRows() runs lanes alone and together", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const rows = await overlapRows(engine, resolveLayer(SIZES, world), { transport: "cpu" }, [
    ["intra"],
    ["inter"],
    ["intra", "inter"],
  ]);
  assertEquals(rows.map(({ lanes }) => lanes), ["intra", "inter", "intra + inter"]);
  const both = rows[2];
  assert((both.ms as number) < (both.apartMs as number), JSON.stringify(both));
  assert((both.atOnceMs as number) > 0);
});

Deno.test("laneTimes() puts the ranks of a processor together", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const parts = new LayerParts(engine, resolveLayer(SIZES, world), { allToAll: pipe });
  const { program, events } = await parts.time("forward", () => true);
  const costs = { source: "one", seconds: () => 1e-3 };
  const compute = (of: number[]) =>
    laneTimes({ program, events, costs }, { of, gain: 2 }).find(({ lane }) => lane === "compute")!;
  const tasks = program.order.filter(({ lane }) => lane === "compute").length;
  assertAlmostEquals(compute([0, 1, 2, 3]).alone, tasks / 2);
  assertAlmostEquals(compute([0, 0, 0, 0]).alone, 4 * tasks / 2);
});

Deno.test("exchanges() follow each other, and secondsOfOne() is the time of one", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const one = exchanges(world, hierarchical2d, { bytes: 4096, count: 1 });
  const four = exchanges(world, hierarchical2d, { bytes: 4096, count: 4 });
  assertEquals(four.order.length, 4 * one.order.length);
  assertAlmostEquals(await secondsOfOne(engine, four), await secondsOfOne(engine, one), 1e-9);
});

Deno.test("busBytesPerSecond() counts what leaves a rank", () => {
  assertAlmostEquals(busBytesPerSecond(8e6, 1e-3, 8), 7e9);
});

Deno.test("parsePlain() reads milliseconds by size and names what is missing", () => {
  const output = '{"bytes":64,"ms":0.5}\nNCCL version 2\n{"bytes":128,"ms":2}\n';
  assertEquals(parsePlain(output, [128, 64]), [0.002, 0.0005]);
  assertThrows(() => parsePlain(output, [256]), Error, "no time for 256 bytes");
});
