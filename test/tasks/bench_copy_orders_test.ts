import { assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  atOnce,
  benchCopyOrders,
  type CopyLine,
  copyRow,
  fastestRows,
  parseCopies,
} from "../../lib/tasks/bench/copy_orders.ts";
import { SchemoeError } from "../../lib/types.ts";

const line = (more: Partial<CopyLine>): CopyLine => ({
  ...{ bytes: 2e6, by: "pull", order: "linear", waits: "nobody", begin: "together" },
  ...{ ms: 0.05, fastest: 0.04 },
  ...more,
});

Deno.test("atOnce() tells copies beside each other from those one after another", () => {
  assertEquals(atOnce([[0, 0, 1], [0, 1, 2], [1, 5, 6]]), 1);
  assertEquals(atOnce([[0, 0, 2], [0, 0, 2]]), 2);
  assertEquals(atOnce([[0, 0, 2], [1, 0, 2]]), 1);
  // 2 + 1 in 2.5 while any is, and one alone
  assertAlmostEquals(atOnce([[0, 1, 2.5], [0, 0, 2], [1, 0, 1]]), (3.5 / 2.5 + 1) / 2);
});

Deno.test("copyRow() gives the rate of a rank, and of links where copies are calls of their own", () => {
  const copies = [[1, 0, 0, 0.02], [0, 1, 0, 0.01], [1, 0, 0.02, 0.03]] as const;
  const row = copyRow(line({ copies }), 4);
  assertEquals([row.rankGBs, row.linkGBs, row.fromOneRank], [120, "100.0 200.0 200.0", 1]);
  assertEquals("linkGBs" in copyRow(line({}), 4), false);
});

Deno.test("fastestRows() puts the engine's way beside the fastest of each size and beginning", () => {
  const engine = { order: "batch beside kernels", waits: "exchanges", ms: 0.1 };
  const rows = fastestRows([line({}), line(engine), line({ begin: "apart", by: "push" })], 4);
  assertEquals(rows, [{
    bytes: 2e6,
    begin: "together",
    fastest: "pull, linear, waits for nobody",
    rankGBs: 120,
    engineRankGBs: 60,
    engineOverFastest: 2,
  }, {
    bytes: 2e6,
    begin: "apart",
    fastest: "push, linear, waits for nobody",
    rankGBs: 120,
  }]);
});

Deno.test("parseCopies() reads lines of JSON and refuses an output without any", async () => {
  assertEquals(parseCopies(`# said\n${JSON.stringify(line({}))}\n`), [line({})]);
  assertThrows(() => parseCopies("nothing"), SchemoeError, "printed no times\nnothing");
  const reports = benchCopyOrders({ gpus: 2, shapes: ["qwen3"] });
  await assertRejects(() => reports.next(), SchemoeError, "--shapes is no option of copies");
});
