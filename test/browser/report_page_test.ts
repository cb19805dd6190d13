import { assert, assertEquals } from "@std/assert";
import { createLayer } from "../../lib/layer/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { report } from "../../lib/timeline/mod.ts";
import { Page } from "./chromium.ts";
import { contrasts, overlaps } from "./look.ts";

Deno.test("the page of a report", async (t) => {
  const directory = await Deno.makeTempDir();
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const layer = createLayer(engine, { tokens: 256, modelDim: 64, hiddenDim: 64, experts: 8 });
  const runs = [];
  for (const scheduler of ["sequential", "optSche", "tutel", "fasterMoE"]) {
    for (const chunks of [1, 4]) {
      const name = `${scheduler} ${chunks}`;
      runs.push(await layer.forward({ scheduler, chunks, allToAll: "pipe", name }));
      runs.push(await layer.backward({ scheduler, chunks, allToAll: "pipe", name }));
    }
  }
  await report(runs, { title: "Sixteen runs", picture: (name) => `${name}.svg` })
    .save(`${directory}/report.html`);
  await using page = await Page.open();
  const shown = () =>
    page.evaluate<string[]>(
      `[...document.querySelectorAll("tbody tr")].filter((r) => !r.hidden).map((r) => r.cells[0].textContent)`,
    );
  const times = () =>
    page.evaluate<number[]>(`(() => {
      const at = [...document.querySelectorAll("th")].findIndex((h) => h.textContent === "makespan");
      return [...document.querySelectorAll("tbody tr")].map((r) => +r.cells[at].dataset.value);
    })()`);
  const click = (heading: string) =>
    page.evaluate(
      `void [...document.querySelectorAll("th button")].find((b) => b.textContent === "${heading}").click()`,
    );
  for (const scheme of ["light", "dark"] as const) {
    await page.show(`file://${directory}/report.html`, scheme);
    await page.drawn();
    await page.screenshot(`report-${scheme}`);
    await t.step(`${scheme}: all text stands out, and none lies on another`, async () => {
      const ratios = await page.evaluate<number[]>(contrasts("td, th button, p, h2, h3"));
      assert(ratios.length > 80 && Math.min(...ratios) >= 4.5, `contrast ${Math.min(...ratios)}`);
      assertEquals(await page.evaluate(overlaps), []);
    });
    await t.step(`${scheme}: asks the network for nothing, and complains of nothing`, () => {
      assert(page.requests.every((url) => url === `file://${directory}/report.html`));
      assertEquals(page.complaints, []);
    });
  }
  await t.step("sorts by a column, up and down", async () => {
    const before = await times();
    await click("makespan");
    assertEquals(await times(), before.toSorted((a, b) => a - b));
    await click("makespan");
    assertEquals(await times(), before.toSorted((a, b) => b - a));
  });
  await t.step("filters by words", async () => {
    await page.evaluate(`(() => {
      const input = document.querySelector("input[type=search]");
      input.value = "tutel forward";
      input.dispatchEvent(new Event("input"));
    })()`);
    assertEquals((await shown()).toSorted(), ["tutel 1", "tutel 4"]);
    assertEquals(
      await page.evaluate(`document.querySelector("[data-count]").textContent`),
      "2 of 16 runs",
    );
  });
  await t.step("draws the first and the shortest of each pass, which zoom", async () => {
    assertEquals(
      await page.evaluate(`document.querySelectorAll("[data-schemoe-gantt]").length`),
      2,
    );
    assertEquals(await page.evaluate(`document.querySelectorAll("[data-bar]").length`), 2);
  });
  await Deno.remove(directory, { recursive: true });
});
