import { assert, assertEquals } from "@std/assert";
import { Page } from "./chromium.ts";
import { inks, overlaps } from "./look.ts";
import { cellPages } from "./page.ts";

/** Charts that Plot draws with axes of its own, by engines that take no time. */
const CELLS = [
  `import { createLayer, openEngine, testbed, topK, whatIf } from "@schemoe/lab";
  const { topology } = testbed("h200-ib400", { nodes: 2, ranksPerNode: 2 });
  const layer = { tokens: 256, modelDim: 64, hiddenDim: 64, experts: 8, gate: topK({ k: 2 }) };
  await whatIf({ layer, topology, choices: { chunks: 4 } }, {
    vary: "inter.bandwidth",
    values: ["1 GB/s", "10 GB/s", "100 GB/s"],
    schedulers: ["sequential", "optSche", "tutel"],
  })`,
  `import { tune } from "@schemoe/lab/adaptive";
  await tune(createLayer(openEngine({ kind: "simulate", topology }), layer), { budget: { runs: 12 }, chunks: [1, 2] })`,
  `import { allToAllSizes, skewCosts, theorem1Losses } from "@schemoe/lab/studies";
  theorem1Losses({ chunks: [2, 4], count: 20 })`,
  `skewCosts({ topology, bytesPerToken: 8192, routing: { tokens: 256, experts: 16, topK: 2 } })`,
  `await allToAllSizes()`,
  `import { savedComparison } from "@schemoe/lab/training";
  savedComparison(await Deno.readTextFile("../results/curves-h200.jsonl"))`,
];

Deno.test("the page of charts of studies", async (t) => {
  const directory = await Deno.makeTempDir();
  await cellPages(CELLS, directory);
  await using page = await Page.open();
  for (const scheme of ["light", "dark"] as const) {
    await page.show(`file://${directory}/${scheme}.html`, scheme);
    await page.drawn();
    await page.screenshot(`studies-${scheme}`);
    await t.step(
      `${scheme}: no text of a chart lies on another, or leaves its picture`,
      async () => {
        assertEquals(await page.evaluate(overlaps), []);
      },
    );
    await t.step(`${scheme}: every text stands out from its paper`, async () => {
      const found = await page.evaluate<{ name: string; ratio: number }[]>(inks);
      assert(found.length > 120, `${found.length} texts`);
      assertEquals(found.filter(({ ratio }) => ratio < 4.5), []);
    });
  }
  await Deno.remove(directory, { recursive: true });
});
