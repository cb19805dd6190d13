import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { exact, optSche, SchemoeError } from "../../mod.ts";
import { theorem1Loss, theorem1Losses } from "../../lib/studies/mod.ts";
import { timedGraph } from "../../lib/graph/mod.ts";
import { timedRun } from "../../lib/layer/mod.ts";

const nothing = { C1: 0, A1: 0, D1: 0, E: 0, C2: 0, A2: 0, D2: 0 };

Deno.test("theorem1Loss() is 2 r / (r + 1) where only C1 and A2, or only A1 and D2, take time", () => {
  for (const r of [2, 3, 4, 8]) {
    assertAlmostEquals(theorem1Loss({ ...nothing, C1: 1, A2: 1 }, r).ratio, 2 * r / (r + 1), 1e-12);
    assertAlmostEquals(theorem1Loss({ ...nothing, A1: 1, D2: 1 }, r).ratio, 2 * r / (r + 1), 1e-12);
  }
});

Deno.test("theorem1Losses() finds none inside the assumption and some outside", () => {
  const chunks = [2, 3];
  const inside = theorem1Losses({
    chunks,
    count: 40,
    assume: (t) => ({ ...t, C2: t.C1, A2: t.A1, D2: t.D1 }),
  });
  const outside = theorem1Losses({ chunks, count: 100 });
  assertAlmostEquals(inside.worst().ratio, 1, 1e-9);
  assertEquals(
    inside.summary.split("\n")[0],
    "2 chunks: 0 of 40 lose",
  );
  assert(outside.worst(3).ratio > 1.05, `${outside.worst(3).ratio}`);
  assertEquals(outside.worst(3).chunks, 3);
  assert(outside.losses.every(({ ratio }) => ratio >= 1 - 1e-9), "better than exact");
  assertThrows(() => outside.worst(5), SchemoeError, "none has 5 chunks");
});

Deno.test("theorem1Losses() shows a dot for each instance", async () => {
  const losses = theorem1Losses({ chunks: [2, 3], count: 7, title: "<any> title" });
  const svg = await losses.svg();
  assertEquals(svg.match(/<circle/g)?.length, 14);
  assert(svg.includes("&lt;any&gt; title"));
  assertEquals(await losses.svg(), svg);
});

Deno.test("timedRun() takes the times that are written down", () => {
  const timed = timedGraph({
    chunks: 2,
    times: { C1: 1, A1: { intra: 1, inter: 2 }, E: 2, A2: 1 },
    before: 1,
    after: 1,
  });
  const run = timedRun(timed, optSche);
  // 1, then C1 1..3, inter 2..4 and 4..6, E 4..6 and 6..8, A2 up to 9, 1
  assertAlmostEquals(run.makespan, 10, 1e-9);
  assert(timedRun(timed, exact).makespan <= run.makespan + 1e-9);
  assert(run.bound! <= run.makespan + 1e-9);
});
