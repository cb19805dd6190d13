import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { ganttHtml } from "../../lib/timeline/chart/gantt.ts";
import { forwardTimeline } from "../timeline/fixture.ts";
import { Page } from "./chromium.ts";
import { charts, contrasts, overlaps } from "./look.ts";
import { cellPages, notebookPages } from "./page.ts";

/** Colour of a chart's paper on a light and on a dark page. */
const PAPER = { light: "rgb(255, 255, 255)", dark: "rgb(13, 17, 23)" };

interface Chart {
  left: number;
  top: number;
  width: number;
  height: number;
  paper: string;
  bars: number;
  shown: boolean;
  widest: number;
  view?: [number, number];
}

const CELLS = [
  `import { compare, createLayer, explain, gantt, openEngine, show, stragglers, topK } from "@schemoe/lab";
  const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 4 });
  const layer = createLayer(engine, { tokens: 1024, modelDim: 256, hiddenDim: 512, experts: 8, gate: topK({ k: 2 }) });
  const first = await layer.forward({ name: "sequential" });
  const run = await layer.forward({ scheduler: "optSche", allToAll: "pipe", chunks: 4 });
  run`,
  `explain(run)`,
  `await gantt(run.timeline, { criticalPath: true })`,
  `compare([first, run])`,
  `show(stragglers(run.timeline))`,
];

Deno.test("the page of an executed notebook", async (t) => {
  const directory = await Deno.makeTempDir();
  await cellPages(CELLS, directory);
  await using page = await Page.open();
  for (const scheme of ["light", "dark"] as const) {
    await page.show(`file://${directory}/${scheme}.html`, scheme);
    await page.drawn();
    await page.screenshot(`notebook-${scheme}`);
    const found = await page.evaluate<Chart[]>(charts);

    await t.step(`${scheme}: every chart can be seen, on paper like the page`, () => {
      assertEquals(found.length, 4);
      for (const { shown, width, height, bars, paper, left } of found) {
        assert(
          shown && width > 500 && height > 100 && bars > 5 && left >= 0,
          `${width} x ${height}`,
        );
        assertEquals(paper, PAPER[scheme]);
      }
    });
    await t.step(
      `${scheme}: no text of a chart lies on another, or leaves its picture`,
      async () => {
        assertEquals(await page.evaluate(overlaps), []);
      },
    );
    await t.step(`${scheme}: text beside the charts stands out from the page`, async () => {
      const ratios = await page.evaluate<number[]>(
        contrasts(
          ".jp-OutputArea-output td, .jp-OutputArea-output p, [data-schemoe-gantt] + div, [data-bar] span",
        ),
      );
      assert(ratios.length > 20);
      assert(Math.min(...ratios) >= 4.5, `contrast ${Math.min(...ratios)}`);
    });
    await t.step(`${scheme}: charts of one comparison zoom together, the others stay`, async () => {
      const { left, top, width, height } = found[3];
      await page.evaluate(`scrollTo(0, ${top - 100})`);
      await page.mouse("mouseWheel", left + width / 2, 100 + height / 2, {
        deltaX: 0,
        deltaY: -200,
      });
      await page.drawn();
      const after = await page.evaluate<Chart[]>(charts);
      assertEquals(after[2].view, after[3].view);
      const span = ([begin, end]: [number, number]) => end - begin;
      assertAlmostEquals(span(after[3].view!), span(found[3].view!) / Math.E, 1);
      assertEquals(
        after.slice(0, 2).map(({ view }) => view),
        found.slice(0, 2).map(({ view }) => view),
      );
      assertEquals(await page.evaluate(overlaps), []);
    });
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("the page of 04-reading-a-timeline.ipynb", async (t) => {
  const directory = await Deno.makeTempDir();
  const path = `${import.meta.dirname}/../../notebooks/04-reading-a-timeline.ipynb`;
  await notebookPages(path, directory);
  await using page = await Page.open();
  for (const scheme of ["light", "dark"] as const) {
    await page.show(`file://${directory}/${scheme}.html`, scheme);
    await page.drawn();
    await page.screenshot(`04-${scheme}`);
    await t.step(`${scheme}: charts can be seen, and no text lies on another`, async () => {
      const found = await page.evaluate<Chart[]>(charts);
      assert(found.length >= 4, `${found.length} charts`);
      for (const { shown, width, bars, paper, view } of found) {
        assert(shown && width > 500 && bars > 5 && view !== undefined);
        assertEquals(paper, PAPER[scheme]);
      }
      assertEquals(await page.evaluate(overlaps), []);
    });
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a chart of 16 ranks in a page of its own", async (t) => {
  const directory = await Deno.makeTempDir();
  const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 8, chunks: 12 });
  const html = await ganttHtml(timeline, { fold: false, criticalPath: true });
  await Deno.writeTextFile(
    `${directory}/page.html`,
    `<!doctype html><meta charset="utf-8"><style>:root { color-scheme: light dark; min-height: 3000px }</style>${html}`,
  );
  await using page = await Page.open();
  await page.show(`file://${directory}/page.html`, "dark");
  await page.drawn();
  const look = async () => {
    await page.drawn();
    return (await page.evaluate<Chart[]>(charts))[0];
  };
  const before = await look();
  const [x, y] = [before.left + before.width * 0.6, 300];
  const span = ({ view }: Chart) => view![1] - view![0];

  await t.step("shows everything at first", async () => {
    assertEquals(before.bars, timeline.numRows());
    assertEquals(before.view![0], 0);
    assertEquals(await page.evaluate(overlaps), []);
  });
  await t.step("is dark on a dark page, light when the page becomes so", async () => {
    assertEquals(before.paper, PAPER.dark);
    await page.evaluate("void (document.documentElement.style.colorScheme = 'light')");
    await page.evaluate("new Promise((done) => setTimeout(done, 400))");
    assertEquals((await look()).paper, PAPER.light);
    await page.evaluate("void (document.documentElement.style.colorScheme = '')");
    await page.evaluate("new Promise((done) => setTimeout(done, 400))");
    assertEquals((await look()).paper, PAPER.dark);
  });
  await t.step("asks the network for nothing, and complains of nothing", () => {
    assertEquals(page.requests, [`file://${directory}/page.html`]);
    assertEquals(page.complaints, []);
  });
  await t.step("zooms in by the wheel, around the pointer", async () => {
    for (let i = 0; i < 2; i++) {
      await page.mouse("mouseWheel", x, y, { deltaX: 0, deltaY: -200 });
      await page.drawn();
    }
    const after = await look();
    assertAlmostEquals(span(after), span(before) / Math.E ** 2, 1);
    assert(after.bars < before.bars && after.widest > before.widest, `${after.bars} bars`);
    assert(after.view![0] > 0 && after.view![1] < before.view![1]);
    assertEquals(await page.evaluate(overlaps), []);
    await page.screenshot("zoomed-dark");
  });
  await t.step("writes on bars that have grown", async () => {
    const texts = await page.evaluate<string[]>(
      `[...document.querySelectorAll(".gantt-labels text")].map((t) => t.textContent)`,
    );
    assert(texts.includes("C2 5") || texts.some((text) => /^[CD]\d \d+$/.test(text)), texts.join());
  });
  await t.step("moves by dragging, as far as the pointer", async () => {
    const from = await look();
    await page.mouse("mousePressed", x, y, { button: "left", buttons: 1, clickCount: 1 });
    await page.mouse("mouseMoved", x - 100, y, { button: "left", buttons: 1 });
    await page.mouse("mouseReleased", x - 100, y, { button: "left", clickCount: 1 });
    const to = await look();
    assertAlmostEquals(span(to), span(from), 1);
    assert(to.view![0] > from.view![0]);
  });
  await t.step("tells about the bar below the pointer", async () => {
    const [bx, by] = await page.evaluate<[number, number]>(`(() => {
      const bar = [...document.querySelectorAll(".gantt-bars > rect")].find((r) => r.style.display !== "none" && +r.getAttribute("width") > 20);
      const { left, top, width, height } = bar.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    })()`);
    await page.mouse("mouseMoved", bx, by);
    const text = await page.evaluate<string>(
      `[...document.querySelectorAll("[data-schemoe-gantt] > div")].find((d) => d.style.position === "fixed" && d.style.display === "block")?.textContent`,
    );
    assertMatch(text, /node \d · rank \d+ · \w+\nstart .* duration/);
    await page.screenshot("tooltip-dark");
  });
  await t.step("shows everything again by a double click, and by a button", async () => {
    for (const clickCount of [1, 2]) {
      await page.mouse("mousePressed", x, y, { button: "left", clickCount });
      await page.mouse("mouseReleased", x, y, { button: "left", clickCount });
    }
    assertEquals((await look()).view, before.view);
    const click = (title: string) =>
      page.evaluate(`void document.querySelector("button[title='${title}']").click()`);
    await click("zoom in");
    assertAlmostEquals(span(await look()), span(before) / 2, 1);
    await click("show everything");
    const after = await look();
    assertEquals([after.view, after.bars], [before.view, before.bars]);
  });
  await t.step("leaves scrolling on to the page when all is shown", async () => {
    await page.mouse("mouseWheel", x, y, { deltaX: 0, deltaY: 100 });
    await page.evaluate("new Promise((done) => setTimeout(done, 200))");
    assertEquals((await look()).view, before.view);
    assert(await page.evaluate<number>("scrollY") > 0);
  });
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a chart whose scripts are run later, as JupyterLab does", async () => {
  const directory = await Deno.makeTempDir();
  const html = await ganttHtml(forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 2 }));
  await Deno.writeTextFile(`${directory}/page.html`, '<!doctype html><meta charset="utf-8">');
  await using page = await Page.open();
  await page.show(`file://${directory}/page.html`, "light");
  const insert = `(() => {
    const host = document.createElement("div");
    host.innerHTML = ${JSON.stringify(html)};
    for (const old of host.querySelectorAll("script")) {
      const script = document.createElement("script");
      for (const { name, value } of old.attributes) script.setAttribute(name, value);
      script.textContent = old.textContent;
      old.replaceWith(script);
    }
    document.body.append(host);
  })()`;
  await page.evaluate(insert);
  await page.evaluate(insert);
  await page.drawn();
  const found = await page.evaluate<Chart[]>(charts);
  assertEquals(found.map(({ view }) => view !== undefined), [true, true]);
  assertEquals(await page.evaluate("document.querySelectorAll('[data-bar]').length"), 2);
  assertEquals(page.complaints, []);
  await Deno.remove(directory, { recursive: true });
});
