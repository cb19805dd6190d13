import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { pipe, SchemoeError, topology } from "../../mod.ts";
import { allToAllSizes } from "../../lib/studies/mod.ts";

Deno.test("allToAllSizes(): 2DH wins small sizes by fewer starts, Pipe-A2A all others by its bytes", async () => {
  const study = await allToAllSizes();
  assertEquals(study.sizes.length, 11);
  assertEquals(study.rows.length, 44);
  for (const { seconds, startUp } of study.rows) assert(startUp > 0 && startUp <= seconds);
  const [small, large, ...others] = study.wins;
  assertEquals(others, []);
  assertEquals([small.allToAll, small.from], ["hierarchical2d", 1024]);
  assertEquals([large.allToAll, large.to], ["pipe", 2 ** 30]);
  assertEquals(small.to * 4, large.from);
  assert(/^beside pipe, its messages start in [\d.]+ us less, which is more/.test(small.why));
  assert(/^beside hierarchical2d, its bytes take [\d.]+ us less, which is more/.test(large.why));
  assert(small.ahead[0] > 1 && large.ahead[1] > 1);
  assert(study.summary.includes("pipe is the fastest from 262.14 kB to 1.07 GB"), study.summary);
  const svg = await study.svg();
  assert(svg.includes("All-to-alls by size, 8 x 4 ranks, 2080ti-ib100"));
  assert(`${study}`.includes("over best") && !`${study}`.includes("emulated"));
});

Deno.test("allToAllSizes() measures on emulated links what memory does not hold", async () => {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const study = await allToAllSizes({
    ...{ topology: world, sizes: [1 << 12, 1 << 25], allToAlls: [pipe], emulated: true },
  });
  for (const { measured, seconds } of study.rows) assert(measured! >= 0.99 * seconds);
  assert(`${study}`.includes("emulated"));
  assert((await study.svg()).includes("circles: on emulated links"));
});

Deno.test("allToAllSizes(): formula of one lane, and errors", async () => {
  const inter = { alpha: 1e-6, beta: 1e-9 };
  const local = { alpha: 0, beta: 0 };
  const world = topology({ nodes: 3, ranksPerNode: 1, inter, local });
  const { rows: [row], wins } = await allToAllSizes({
    ...{ topology: world, sizes: [3000], allToAlls: ["linear"] },
  });
  assertAlmostEquals(row.seconds, 2 * (1e-6 + 1e-6), 1e-9);
  assertAlmostEquals(row.startUp, 2e-6, 1e-9);
  assertEquals(wins.map(({ allToAll }) => allToAll), ["linear"]);
  const fails = (options: object, part: string) =>
    assertRejects(() => allToAllSizes(options), SchemoeError, part);
  await fails({ sizes: [0] }, "positive integers, got 0");
  await fails({ sizes: [] }, "got none");
  await fails({ allToAlls: ["pipes"] }, 'Unknown all-to-all "pipes"');
});
