import { assert, assertEquals, assertThrows } from "@std/assert";
import { pipe, SchemoeError, testbed } from "../../mod.ts";
import { correlatedRouting } from "../../lib/routing/mod.ts";
import { skewCosts } from "../../lib/studies/mod.ts";

const { topology } = testbed("h200-ib400", { nodes: 4, ranksPerNode: 4 });
const routing = { tokens: 1024, experts: 64, topK: 4 };

Deno.test("skewCosts(): direct sending leaves the bound as skew grows, FAST stays near it", async () => {
  const costs = skewCosts({ topology, bytesPerToken: 8192, routing, skews: [0, 0.6, 1.2] });
  assertEquals(costs.skews, [0, 0.6, 1.2]);
  assertEquals(costs.rows.length, 18);
  const over = (skew: number, name: string) => {
    const row = costs.rows.find((row) => row.skew === skew && row.allToAll === name)!;
    return row.seconds / row.bound;
  };
  for (const { seconds, bound } of costs.rows) assert(seconds >= bound);
  assert(over(1.2, "pipe") > 1.5 * over(0, "pipe"));
  assert(over(1.2, "fast") < 0.6 * over(1.2, "pipe"));
  const svg = await costs.svg();
  assert(svg.includes("An exchange by skew, 4 x 4 ranks, h200-ib400") && svg.includes("bound"));
  assert(/^skew +linear +pipe .*bound$/m.test(`${costs}`));
});

Deno.test("skewCosts() takes routings of one's own, and refuses what it cannot use", () => {
  const near = (locality: number) =>
    correlatedRouting({ ...routing, ranks: 16, nodes: 4, locality });
  const costs = skewCosts({
    ...{ topology, bytesPerToken: 8192, routing: near, skews: [0, 1], allToAlls: [pipe] },
  });
  // all tokens stay in their nodes
  assert(costs.rows[1].seconds < 0.3 * costs.rows[0].seconds);
  const fails = (options: object, part: string) =>
    assertThrows(
      () => skewCosts({ topology, bytesPerToken: 1, routing, ...options }),
      SchemoeError,
      part,
    );
  fails({ skews: [] }, "there are no skews");
  fails({ allToAlls: ["fats"] }, '"fats"');
  fails(
    { routing: () => correlatedRouting({ ...routing, ranks: 8, nodes: 2, locality: 0 }) },
    "of 8 ranks",
  );
});
