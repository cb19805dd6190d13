import { assert, assertEquals, assertMatch } from "@std/assert";
import { Jupyter } from "./jupyter.ts";
import { overlaps } from "./look.ts";
import { launch } from "./puppeteer.ts";

const CELLS = [
  `import { createLayer, openEngine } from "@schemoe/lab";
  import { skew } from "@schemoe/lab/timeline";
  const layer = createLayer(
    openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 }),
    { tokens: 256, modelDim: 64, hiddenDim: 128, experts: 4 },
  );
  const run = await layer.forward({ scheduler: "optSche", allToAll: "pipe", chunks: 4 });
  run`,
  `skew(run)`,
];

Deno.test("a notebook in Jupyter's own page", async (t) => {
  await using jupyter = await Jupyter.open(CELLS);
  const browser = await launch({ width: 1200, height: 1000 });
  try {
    const page = await browser.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const keep = async (name: string) => {
      const folder = Deno.env.get("SCHEMOE_SCREENSHOTS");
      if (folder) await page.screenshot({ path: `${folder}/jupyter-${name}.png` });
    };
    const evaluate = async <T>(expression: string) => await page.evaluate(expression) as T;
    const papers = () =>
      evaluate<string[]>(
        `[...document.querySelectorAll(".output svg")].filter((svg) => svg.getBoundingClientRect().width > 500)
          .map((svg) => getComputedStyle(svg.querySelector("rect")).fill)`,
      );
    await page.goto(`${jupyter.url}notebooks/test.ipynb`);
    const ready =
      `globalThis.Jupyter?.notebook?.kernel?.is_connected() && Jupyter.notebook.get_cells().length`;
    await page.waitForFunction(ready, { timeout: 60_000 });

    await t.step("runs cell by cell with Shift and Enter", async () => {
      await page.click(".code_cell .CodeMirror");
      for (const chart of ["[data-schemoe-gantt][data-view]", "[data-schemoe-picture]"]) {
        await page.keyboard.down("Shift");
        await page.keyboard.press("Enter");
        await page.keyboard.up("Shift");
        await page.waitForSelector(chart, { timeout: 60_000 });
      }
    });
    await t.step("charts are whole, light, and nothing lies on another", async () => {
      await evaluate(`document.querySelector("[data-schemoe-gantt]").scrollIntoView()`);
      assertEquals(await evaluate(overlaps), []);
      assertEquals(await papers(), Array(2).fill("rgb(255, 255, 255)"));
      await keep("light");
    });
    await t.step("a bar says under the mouse what it is", async () => {
      const bar = (await page.$$(".gantt-bars > rect"))[3];
      await bar.hover();
      const tip = `[...document.querySelectorAll("[data-schemoe-gantt] > div")]
        .find((d) => d.style.position === "fixed" && d.style.display === "block")?.textContent ?? ""`;
      await page.waitForFunction(`${tip} !== ""`, { timeout: 5000 });
      assertMatch(await evaluate<string>(tip), /node 0[^]*start/);
      await keep("hover");
    });
    await t.step("the wheel zooms the chart, not the page", async () => {
      const view = `document.querySelector("[data-schemoe-gantt]").dataset.view`;
      const [before, top] = [
        await evaluate<string>(view),
        await evaluate(`document.querySelector("#site").scrollTop`),
      ];
      await page.mouse.wheel({ deltaY: -200 });
      await page.waitForFunction(`${view} !== ${JSON.stringify(before)}`, { timeout: 5000 });
      assertEquals(await evaluate(`document.querySelector("#site").scrollTop`), top);
      assertEquals(await evaluate(overlaps), []);
      await keep("zoomed");
    });
    await t.step("charts become dark with the page", async () => {
      await evaluate(`void document.body.classList.add("dark")`);
      const dark =
        `[...document.querySelectorAll("[data-schemoe-theme]")].every((e) => e.dataset.schemoeTheme === "dark")`;
      await page.waitForFunction(dark, { timeout: 10_000 });
      assertEquals(await papers(), Array(2).fill("rgb(13, 17, 23)"));
      await keep("dark");
    });
    await t.step("asks nothing of the network", () => {
      const foreign = asked.filter((url) =>
        !url.startsWith(jupyter.url) && !/^(data|blob):/.test(url)
      );
      assert(asked.length > 10);
      assertEquals(foreign, []);
    });
  } finally {
    await browser.close();
  }
});
