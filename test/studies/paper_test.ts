import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  findings,
  gridOf,
  paperGrid,
  paperOrders,
  type PaperRow,
  paperSizes,
  paperTables,
  PUBLISHED,
} from "../../lib/studies/paper/mod.ts";
import { gridLayers } from "../../lib/studies/paper/workloads.ts";

const tables = await paperTables();
const of = (table: number, workload: string, method: string, what = "step"): PaperRow =>
  tables.rows.find((row) =>
    row.table === table && row.workload === workload && row.method === method && row.what === what
  )!;

Deno.test("paperTables() predicts the ablation from published alpha and beta alone", () => {
  const ms = ["Naive", "ScheMoE-Z", "ScheMoE-ZP", "ScheMoE"]
    .map((method) => Math.round(of(10, "ablation layer", method).predictedMs));
  assertEquals(ms, [2117, 1434, 1418, 1309]);
  const naive = of(10, "ablation layer", "Naive");
  assertAlmostEquals(naive.error, naive.predictedMs / 2401 - 1, 1e-12);
  assertEquals(tables.rows.length, PUBLISHED.length);
});

Deno.test("paperTables() explains by table 1's all-to-alls, which it then meets", () => {
  const deviations = [12, 16, 20, 24]
    .map((depth) => of(1, `CT-MoE-${depth}`, "Tutel", "all-to-alls").explainedError);
  assert(tables.slowdown > 1.3 && tables.slowdown < 1.8);
  for (const deviation of deviations) assert(Math.abs(deviation) < 0.03, `${deviations}`);
});

Deno.test("findings() name what was assumed, why it fails and what to measure", () => {
  const found = findings(tables, paperSizes());
  assertEquals(found.length, 9);
  const codec = found.find(({ assumption }) => assumption.includes("codec's speed can be fitted"))!;
  assert(codec.because.includes("1137 ms") && codec.because.includes("1516 ms"));
});

Deno.test("paperOrders() compares methods on each workload once, and tells which predictions have the wrong order", () => {
  const orders = paperOrders(tables.rows);
  // three methods on four depths, two on BERT, four of the ablation
  assertEquals(orders.length, 4 * 3 + 1 + 6);
  for (const { measured } of orders) assert(measured > 1);
  const wrong = orders.filter(({ predicted }) => predicted <= 1);
  assertEquals(
    new Set(wrong.map(({ faster, slower }) => `${slower} over ${faster}`)),
    new Set(["FasterMoE over Tutel", "Tutel over ScheMoE"]),
  );
  const bert = orders.find(({ workload }) => workload === "BERT-Large-MoE")!;
  assertAlmostEquals(bert.measured, 783 / 673, 2e-3);
  assert(bert.predicted < 1);
});

Deno.test("the grid has 675 layers, and gridOf() counts them", async () => {
  assertEquals(gridLayers().reduce((sum, { count }) => sum + count, 0), 675);
  const grid = gridOf([
    { ratio: 1.05, count: 1 },
    { ratio: 1.1, count: 2 },
    { ratio: 1.3, count: 1 },
  ]);
  assertEquals([grid.layers, grid.least, grid.most], [4, 1.05, 1.3]);
  assertAlmostEquals(grid.mean, (1.05 + 2.2 + 1.3) / 4, 1e-12);
  assertEquals(grid.histogram, [
    { from: 1, layers: 1 },
    { from: 1.1, layers: 2 },
    { from: 1.3, layers: 1 },
  ]);
  const some = await paperGrid(undefined, { every: 75 });
  assert(some.least > 1, "ScheMoE is always faster in the paper");
});

Deno.test("paperSizes() lets Pipe-A2A win by 6 % at large sizes and 2DH at small ones", () => {
  const sizes = paperSizes();
  const last = sizes[sizes.length - 1];
  assertEquals(last.bytes, 1 << 30);
  assertAlmostEquals(last.linear / last.pipe, 1.06, 0.01);
  assert(sizes[0].hierarchical2d < sizes[0].pipe);
});
