import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { parseHTML } from "linkedom";
import { criticalPath } from "../../lib/timeline/measures/critical_path.ts";
import { gantt, ganttHtml, type GanttOptions, ganttSvg } from "../../lib/timeline/chart/gantt.ts";
import { textWidth } from "../../lib/timeline/chart/layout.ts";
import type { DocumentLike } from "../../lib/timeline/chart/plot.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, timelineOf } from "./fixture.ts";
import { assertSvg } from "./snapshot.ts";

const shape = { nodes: 2, ranksPerNode: 2, chunks: 4 };
const pass = forwardTimeline(shape);

/** Bars are the rectangles with a tooltip. */
const bars = (svg: string) => svg.match(/<rect[^>]*><title>/g)?.length ?? 0;

Deno.test("gantt() of OptSche on 2 x 2 ranks is as in its snapshot", async () => {
  await assertSvg("forward-4-ranks-optsche", await ganttSvg(pass));
});

Deno.test("gantt() of a sequential pass is as in its snapshot", async () => {
  const timeline = forwardTimeline({ ...shape, sequential: true });
  await assertSvg("forward-4-ranks-sequential", await ganttSvg(timeline));
});

Deno.test("gantt() of one rank is as in its snapshot", async () => {
  const timeline = timelineOf([
    { start: 0, end: 900 },
    { start: 900, end: 2500, kind: "combine", label: "combine", chunk: null },
  ]);
  await assertSvg("one-rank", await ganttSvg(timeline, { width: 600 }));
});

Deno.test("gantt() of every kind of task is as in its snapshot", async () => {
  const kinds = "gate dispatch compress allToAll decompress expert expertInputGrad " +
    "expertWeightGrad combine allReduce opaque other";
  const timeline = timelineOf(
    kinds.split(" ").flatMap((kind, i) =>
      [0, 1].map((rank) => ({
        rank,
        node: rank,
        kind,
        name: kind,
        label: kind,
        lane: kind.startsWith("all") ? "inter" : "compute",
        start: i * 5e5,
        end: i * 5e5 + 4.5e5 + rank * 5e4,
        wait: kind.startsWith("all") ? 1.5e5 : 0,
        chunk: i,
      }))
    ),
  );
  await assertSvg("every-kind", await ganttSvg(timeline, { width: 700, title: `All <&> "kinds"` }));
});

Deno.test("gantt() of 8 ranks is as in its snapshot", async () => {
  const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 4, chunks: 2 });
  await assertSvg("forward-8-ranks", await ganttSvg(timeline, { title: "8 ranks" }));
});

Deno.test("gantt() draws one bar for each row, twice the same", async () => {
  const svg = await ganttSvg(pass, { fold: false });
  assertEquals(bars(svg), pass.numRows());
  assertEquals(await ganttSvg(pass, { fold: false }), svg);
});

Deno.test("gantt() of 64 ranks shows equal ones once, and says so", async () => {
  const timeline = forwardTimeline({ nodes: 8, ranksPerNode: 8, chunks: 4 });
  const svg = await ganttSvg(timeline);
  assertStringIncludes(svg, "64 ranks in 4 groups of equal ones, the first of each: 0–3");
  assertEquals(svg.match(/>16 ranks</g)?.length, 4);
  assertEquals(bars(svg), timeline.numRows() / 16);
  await assertSvg("forward-64-ranks-folded", svg);
});

Deno.test("gantt() of 64 ranks shown one by one has low rows, and says what they are", async () => {
  const timeline = forwardTimeline({ nodes: 8, ranksPerNode: 8, chunks: 1 });
  const svg = await ganttSvg(timeline, { fold: false });
  assertStringIncludes(svg, "rows of a rank: compute, intra, inter");
  assertEquals(bars(svg), timeline.numRows());
  assertMatch(svg, />rank 63</);
  assert(Number(svg.match(/ height="(\d+)"/)![1]) < 1800);
});

Deno.test("gantt() of more than 64 different ranks shows the first 64, and says so", async () => {
  const timeline = forwardTimeline({ nodes: 10, ranksPerNode: 8, chunks: 1 });
  assertStringIncludes(await ganttSvg(timeline, { fold: false }), "64 of 80 ranks shown");
});

Deno.test("gantt() folds ranks that differ by less than a part of the makespan", async () => {
  const at = (rank: number, end: number) => ({ rank, name: "E[0]", start: 0, end });
  const timeline = timelineOf([at(0, 1000), at(1, 998), at(2, 990)]);
  assertEquals(bars(await ganttSvg(timeline)), 2);
  assertEquals(bars(await ganttSvg(timeline, { fold: 0.02 })), 1);
  assertEquals(bars(await ganttSvg(timeline, { fold: 0 })), 3);
  assertEquals(bars(await ganttSvg(timeline, { ranks: [1, 0] })), 2);
  assertEquals(bars(await ganttSvg(timeline, { ranks: [1, 0], fold: 0.02 })), 1);
  assertStringIncludes(await ganttSvg(timeline), "equal ranks shown once: {0, 1}");
  assertStringIncludes(
    await ganttSvg(timeline, { fold: 0.02 }),
    "all 3 ranks are equal, one is shown",
  );
});

Deno.test("gantt() with the critical path is as in its snapshot", async () => {
  await assertSvg("critical-path", await ganttSvg(pass, { criticalPath: true }));
});

Deno.test("gantt() outlines each step of the critical path, and fades all other bars", async () => {
  const svg = await ganttSvg(pass, { criticalPath: true, fold: false });
  const count = (name: string) =>
    svg.match(new RegExp(`class="gantt-${name}"[^>]*>(.*?)</g>`))![1].match(/<rect /g)!.length;
  const path = criticalPath(pass);
  assertEquals(count("path"), path.numRows());
  assertEquals(count("off"), pass.numRows() - path.numRows());
  assertStringIncludes(svg, "critical path: expert 57 %");
});

Deno.test("gantt() shows the ranks that are asked for", async () => {
  const svg = await ganttSvg(pass, { ranks: [3, 0] });
  assertMatch(svg, />rank 3<.*>rank 0</);
  assert(!svg.includes(">rank 1<"));
  assertStringIncludes(svg, "2 of 4 ranks shown");
});

Deno.test("gantt() leaves out lanes and kinds that nobody uses", async () => {
  const svg = await ganttSvg(forwardTimeline({ ...shape, nodes: 1 }));
  assertStringIncludes(svg, ">intra<");
  assert(!svg.includes(">inter<"));
  assert(!svg.includes(">gate gradient<") && !svg.includes(">all-reduce<"));
});

Deno.test("gantt() says in a tooltip what, where, when, how much and how fast", async () => {
  const timeline = timelineOf([{
    start: 1e6,
    end: 4e6,
    wait: 1e6,
    kind: "allToAll",
    lane: "inter",
    name: "A1[0] <x>",
    rank: 5,
    node: 2,
    bytes: 4e6,
  }]);
  assertStringIncludes(
    await ganttSvg(timeline),
    "<title>A1[0] &lt;x&gt; · all-to-all\nnode 2 · rank 5 · inter\nstart 0 ns · duration 3.00 ms\n" +
      "of that waiting for a peer 1.00 ms\nsent 4.00 MB · 2.00 GB/s</title>",
  );
});

Deno.test("gantt() draws tasks that took no time, and a timeline without rows", async () => {
  assertEquals(bars(await ganttSvg(timelineOf([{ start: 5, end: 5 }]))), 1);
  assertEquals(bars(await ganttSvg(timelineOf([]))), 0);
});

Deno.test("gantt() draws 5,000 bars within the picture", async () => {
  const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 8, chunks: 32 });
  const svg = await ganttSvg(timeline, { fold: false });
  assertEquals(bars(svg), timeline.numRows());
  for (const [, width, x] of svg.matchAll(/<rect [^>]*width="([\d.]+)"[^>]* x="([\d.]+)"/g)) {
    assert(Number(x) >= 0 && Number(x) + Number(width) <= 960);
  }
});

Deno.test("gantt() of 200,000 tasks draws what can be told apart, and says so", async () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => ({
    start: 1000 * i,
    end: 1000 * i + 600,
    name: `kernel ${i % 50}`,
    chunk: null,
    lane: `stream ${i % 3}`,
  }));
  const long = { start: 5e6, end: 9e7, name: "long", lane: "stream 7", chunk: null };
  const svg = await ganttSvg(timelineOf([...rows, long]));
  assert(bars(svg) > 3000 && bars(svg) < 6000, `${bars(svg)} bars`);
  assertMatch(svg, />long · expert|<title>long/);
  assertMatch(svg, /\d+ of 200001 tasks drawn/);
  const first = await ganttSvg(timelineOf(rows.slice(0, 9_000)));
  assertEquals(bars(first), 9000);
});

Deno.test("gantt() of a run says what was run, where, and how it went", async () => {
  const world = topology({
    nodes: 2,
    ranksPerNode: 2,
    intra: { alpha: 5e-6, beta: 1 / 50e9 },
    inter: { alpha: 1e-5, beta: 8 / 400e9 },
    processor: { flopRate: 989e12 },
  });
  const run = {
    timeline: pass,
    name: "mine",
    pass: "forward",
    topology: world,
    bound: 8e-3,
    configuration: {
      scheduler: "optSche",
      allToAll: "pipe",
      compressor: "int8",
      chunks: 4,
      engine: "cpu, emulated links, paced computation",
    },
  };
  const svg = await ganttSvg(run);
  for (
    const said of [
      ">mine · forward<",
      "forward · optSche + pipe · codec int8 · 4 chunks · cpu, emulated",
      "2 x 2 ranks · inside a node 50 GB/s + 5 us · between nodes 50 GB/s + 10 us · computation 989 TFLOP/s a rank",
      "makespan 8.54 ms · 84 % of communication hidden · 7 % above the bound (8.00 ms)",
    ]
  ) assertStringIncludes(svg, said);
  const plain = { ...run, configuration: { engine: "cpu, plain links, real computation" } };
  assert(!/between nodes|a rank</.test(await ganttSvg(plain)), "speeds that nothing emulates");
  assertStringIncludes(await ganttSvg(run, { lines: ["only this"] }), ">only this<");
  assert(!(await ganttSvg(run, { lines: [] })).includes("optSche"));
});

Deno.test("gantt() breaks long lines at their dots", async () => {
  const configuration = { scheduler: "s".repeat(60), allToAll: "a".repeat(60), compressor: "none" };
  const svg = await ganttSvg({ timeline: pass, name: "x", configuration }, { width: 500 });
  assertStringIncludes(svg, ">codec none<");
});

Deno.test("gantt() draws the all-to-all back apart from the one there", async () => {
  const bar = (label: string, start: number) => ({
    kind: "allToAll",
    lane: "inter",
    label,
    name: label,
    start,
    end: start + 5,
  });
  const svg = await ganttSvg(timelineOf([bar("A1", 0), bar("A2", 5)]));
  const fills = [...svg.matchAll(/<rect [^>]*fill="(#\w+)"[^>]*><title>/g)].map(([, fill]) => fill);
  assertEquals(new Set(fills).size, 2);
  assertStringIncludes(svg, ">all-to-all back<");
});

Deno.test("gantt() is dark when asked, and follows the reader as a file of its own", async () => {
  const dark = await ganttSvg(pass, { theme: "dark" });
  assert(!dark.includes("#ffffff") && !dark.includes("prefers-color-scheme"));
  assertStringIncludes(dark, 'fill="#0d1117"');
  assertStringIncludes(
    await ganttSvg(pass),
    '@media (prefers-color-scheme:dark){svg:root [fill="#',
  );
  assert(!(await ganttSvg(pass, { theme: "light" })).includes("prefers-color-scheme"));
});

Deno.test("gantt() uses the document that it is given", async () => {
  const { document } = parseHTML("<html></html>") as unknown as { document: DocumentLike };
  const element = await gantt(pass, { document }) as unknown as { ownerDocument: unknown };
  assertEquals(element.ownerDocument === document, true);
});

Deno.test("gantt() shows itself in a notebook, with namespace, colours and background", async () => {
  const element = await gantt(pass);
  const bundle = await element[Symbol.for("Jupyter.display")]();
  assertStringIncludes(bundle["text/html"], element.outerHTML);
  assertEquals(bundle["image/svg+xml"], element.outerHTML);
  assertMatch(element.outerHTML, /^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  assertMatch(element.outerHTML, /<g [^>]*fill="#ffffff"[^>]*><rect [^>]*height="\d+" width="959"/);
});

Deno.test("ganttHtml() holds the picture, and names cannot end its scripts", async () => {
  const name = "</script><script>alert(1)</script>";
  const timeline = timelineOf([{ start: 0, end: 9, name, label: name, run: name }]);
  const html = await ganttHtml(timeline);
  assertStringIncludes(html, await ganttSvg(timeline));
  assertEquals(html.match(/<script/g)?.length, 3);
  assertEquals(html.match(/<\/script>/g)?.length, 3);
  assert(!/https?:(?!\/\/www\.w3\.org)/.test(html), "an address in the page");
});

Deno.test("gantt() throws naming what it cannot use", async () => {
  const fails = (options: object, message: string, timeline = pass) =>
    assertRejects(() => ganttSvg(timeline, options as GanttOptions), SchemoeError, message);
  await fails({ widht: 3 }, '"widht" is not an option');
  await fails({ width: 12 }, "width is 12");
  await fails({ width: NaN }, "width is NaN");
  await fails({ theme: "grey" }, 'theme is "grey"');
  await fails({ lines: "one" }, "lines is not a list");
  await fails({ ranks: [] }, "ranks is empty");
  await fails({ fold: true }, "fold is true");
  await fails({ fold: -1 }, "fold is -1");
  await fails({ ranks: [4] }, "no rank 4, it has 4 ranks");
  await fails({}, 'no column "wait_ns"', pass.rename({ wait_ns: "wait" }));
  await fails(
    {},
    "it holds 2 runs",
    timelineOf([{ run: "a", start: 0, end: 1 }, { run: "b", start: 0, end: 1 }]),
  );
});

Deno.test("gantt() keeps the last number of the time axis inside of the chart, however long", async () => {
  for (const seconds of [9e5, 1.0002e6, 1.6e6, 2e7, 1.0001e9]) {
    const svg = await ganttSvg(timelineOf([{ start: 0, end: seconds * 1e9 }]), { width: 500 });
    const axis = svg.slice(svg.indexOf('aria-label="x-axis tick label"'));
    const labels = [
      ...axis.slice(0, axis.indexOf("</g>")).matchAll(
        /<text[^>]*transform="translate\(([\d.]+)[^>]*>([^<]*)<\/text>/g,
      ),
    ];
    const [, x, last] = labels[labels.length - 1];
    assert(last.length >= 7);
    assert(Number(x) + textWidth(last, 11) / 2 <= 500, `${last} at ${x}`);
  }
});

Deno.test("gantt() writes the phase of an all-to-all on its bar, where it is not that of the lane", async () => {
  const row = { kind: "allToAll", label: "A1", lane: "intra", chunk: 0 };
  const svg = await ganttSvg(timelineOf([
    { ...row, name: "A1[0] gather", start: 0, end: 1000 },
    { ...row, name: "A1[0] intra", start: 1000, end: 2000 },
    { ...row, name: "A1[0] all of the others in turn", start: 2000, end: 2050 },
    { ...row, name: "B0.moe.forward.A1[1] hop 2", chunk: 1, start: 2100, end: 3000 },
  ]));
  const texts = [...svg.matchAll(/>(A1 [^<]*)</g)].map(([, text]) => text);
  assertEquals(texts, ["A1 0 gather", "A1 0", "A1 1 hop 2"]);
});
