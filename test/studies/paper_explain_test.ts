import { assert, assertEquals, assertMatch } from "@std/assert";
import { explainAblation, paperSvg, paperTables } from "../../lib/studies/paper/mod.ts";

Deno.test("explainAblation() makes Naive exact, and shows that the others are not explained by it", async () => {
  const { factor, rows, naive } = await explainAblation();
  const [first, ...others] = rows;
  assert(Math.abs(first.explainedMs / first.measuredMs - 1) < 1e-4, `${first.explainedMs}`);
  assert(factor > 1.2 && factor < 1.4, `${factor}`);
  assert(others.every(({ explainedMs, measuredMs }) => explainedMs > 1.1 * measuredMs));
  const { allToAlls, rest } = naive;
  assertEquals(allToAlls.needed, (2401 - 1264) * 4 / 3);
  assertEquals(allToAlls.needed + rest.needed, 2401);
  assert(Math.abs(allToAlls.predicted + rest.predicted - first.predictedMs) < 1e-6);
});

Deno.test("paperSvg() draws both errors of each entry", async () => {
  const { rows } = await paperTables();
  const svg = await paperSvg(rows);
  assertEquals(svg.match(/<circle/g)?.length, 2 * rows.length);
  assertMatch(svg, />8 x 4 ranks, 2080ti-ib100 · inside a node /);
});
