import { assert, assertEquals, assertThrows } from "@std/assert";
import { goldenOn, goldenRow, pairs, tryGolden } from "../../lib/tasks/bench/golden.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";
import { openEngine, SchemoeError } from "../../mod.ts";
import { goldenCases } from "../layer/golden_cases.ts";

Deno.test("pairs() has each pair once, and all of both sides at its beginning", () => {
  const [schedulers, allToAlls] = [["a", "b", "c"], ["x", "y"]];
  const list = pairs(schedulers, allToAlls);
  assertEquals(new Set(list.map(String)).size, 6);
  assertEquals(list.slice(0, 2).map(([, allToAll]) => allToAll), allToAlls);
  assertEquals(new Set(list.slice(0, 4).map(([scheduler]) => scheduler)).size, 3);
});

Deno.test("goldenOn() has all cases, the one that drops nothing twice", () => {
  const { cases, leftOut } = goldenOn(8);
  assertEquals(leftOut, []);
  const names = cases.map(({ name }) => name);
  assertEquals(
    names.filter((name) => !name.endsWith("not padded")),
    goldenCases.map(({ name }) => name),
  );
  assertEquals(names.length, goldenCases.length + 1);
  assert(cases.every(({ ranks, config }) => ranks === 8 && config.experts === 8));
});

Deno.test("goldenOn() leaves out the cases whose ranks are no part of the world's, and names them", () => {
  const { cases, leftOut } = goldenOn(2);
  assertEquals(
    [...cases.map(({ name }) => name), ...leftOut].toSorted(),
    goldenCases.map(({ name }) => name),
  );
  assert(cases.length > 0 && leftOut.length > 0);
  assert(cases.every(({ ranks }) => ranks === 2));
  assertThrows(() => goldenOn(1), SchemoeError, "No reference case");
});

Deno.test("tryGolden() finds the same bits on one engine and over two processes", async () => {
  const { cases } = goldenOn(8);
  using alone = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 4, links: "plain" });
  const expected = await tryGolden(alone, cases, { among: [["sequential", "linear"]] });
  await using workers = await spawnWorkers(1);
  using engine = await workers.openEngine({ nodes: 2, ranksPerNode: 4, links: "plain" });
  const counts = await tryGolden(engine, cases, { among: [["optSche", "pipe"]] });
  for (const [i, count] of counts.entries()) {
    const { runs, passed, sameBits, failure } = goldenRow(count, expected[i]);
    assertEquals([runs, passed, sameBits, failure], [1, 1, true, undefined], count.golden.name);
  }
});

Deno.test("tryGolden() counts what fails, and begins nothing after its time", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 4, links: "plain" });
  const { cases: [golden] } = goldenOn(8);
  const [count] = await tryGolden(engine, [golden], { among: [["sequential", "linear"]] });
  const row = goldenRow(count);
  assertEquals([row.runs, row.passed, row.sameBits], [1, 0, false]);
  assert(String(row.failure).includes("it is for 8 ranks"), String(row.failure));
  const among = [["sequential", "linear"]] as const;
  const [none] = await tryGolden(engine, [golden], { among, until: performance.now() - 1 });
  assertEquals(none.runs, 0);
});
