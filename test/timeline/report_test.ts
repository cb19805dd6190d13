import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { report, type ReportOptions, type Timed } from "../../lib/timeline/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, timelineOf } from "./fixture.ts";

const shape = { nodes: 2, ranksPerNode: 2, chunks: 2 };
const world = topology({ nodes: 2, ranksPerNode: 2, inter: { bandwidth: "25 GB/s" } });

function run(
  name: string,
  scheduler: string,
  sequential: boolean,
  engine = "simulate, model",
): Timed {
  return {
    name,
    pass: "forward",
    topology: world,
    bound: 5e-3,
    timeline: forwardTimeline({ ...shape, sequential, name }),
    configuration: {
      scheduler,
      allToAll: "pipe",
      compressor: "none",
      chunks: 2,
      tokens: 64,
      engine,
    },
  };
}

const runs = [run("slow <1>", "sequential", true), run("fast", "optSche", false)];

Deno.test("report() says once what is common, and in columns what differs", async () => {
  const html = await report(runs).html();
  const [facts, table] = html.split("<table>");
  assertStringIncludes(facts, "allToAll pipe · compressor none · chunks 2 · tokens 64");
  assertStringIncludes(facts, "between nodes 25 GB/s + 50 us");
  assertMatch(table, /<button[^>]*>scheduler<\/button>/);
  assert(!/<button[^>]*>(codec|tokens)</.test(table));
  assertEquals(table.match(/<tr>/g)?.length, 3);
});

Deno.test("report() gives each cell what it is sorted by", async () => {
  const html = await report(runs).html();
  const times = [...html.matchAll(/data-value="(\d+)">[\d.]+ ms</g)].map(([, ns]) => Number(ns));
  assertEquals(times.length, 2);
  assert(times[1] < times[0]);
  assertMatch(html, /data-value="1\.\d+">1\.\d\dx</);
});

Deno.test("report() draws of each pass the first and the shortest run, or those asked for", async () => {
  const all = [...runs, { ...run("middle", "tutel", true), pass: "backward" }];
  const count = async (options: ReportOptions) =>
    (await report(all, options).html()).match(/<svg/g)?.length;
  assertEquals(await count({}), 3);
  assertEquals(await count({ charts: ["middle"] }), 1);
});

Deno.test("report() of many runs shows its charts before the table, and whole names when asked", async () => {
  const many = Array.from({ length: 30 }, (_, i) => run(`run ${i}`, `scheduler ${i}`, true));
  const [few, all] = [await report(runs).html(), await report(many).html()];
  assert(few.indexOf("<table") < few.indexOf("<svg"));
  assert(all.indexOf("<table") > all.indexOf("<svg"));
  assertStringIncludes(all, 'title="run 29"');
});

Deno.test("report() links pictures, and names cannot leave their text", async () => {
  const html = await report(runs, { picture: (name) => `charts/${name}.svg` }).html();
  assertStringIncludes(html, '<a href="charts/slow%20%3C1%3E.svg">slow &lt;1&gt;</a>');
  assert(!html.includes("slow <1>"));
});

Deno.test("report() says how many runs were disturbed, and which differences are not clear", async () => {
  const [a, b] = [0, 1].map((i) => run(["a", "b"][i], "optSche", i === 0, "cpu, paced"));
  const late = timelineOf([{ start: 0, end: 9e6, run: "c" }]).derive({ paced_ns: () => 3e6 });
  const html = await report([a, b, { ...run("c", "x", true), timeline: late }]).html();
  assertStringIncludes(html, "1 of 3 runs were disturbed");
  assertStringIncludes(html, "3.0x");
  assertStringIncludes(html, "one run of each: nobody knows the spread");
  const clear = { ...a, repeats: [5e-3, 6e-3] };
  const near = { ...b, repeats: [5.5e-3, 7e-3] };
  assertStringIncludes(await report([clear, near]).html(), "within the spread of the repeats");
});

Deno.test("report() takes timelines, and shows itself as text and as a page", async () => {
  const folder = await Deno.makeTempDir();
  const found = report([forwardTimeline(shape)], { title: "One & all" });
  assertMatch(`${found}`, /^One & all\nrun +makespan +speed-up +hidden\noptSche/);
  await found.save(`${folder}/report.html`);
  const page = await Deno.readTextFile(`${folder}/report.html`);
  assertEquals(page, await found.page());
  assertStringIncludes(page, "<title>One &amp; all</title>");
  assert(!/https?:(?!\/\/www\.w3\.org)/.test(page), "an address in the page");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("report() throws for what it cannot use", () => {
  assertThrows(() => report([]), SchemoeError, "at least one run");
  assertThrows(() => report([3 as never]), SchemoeError, "report item 0: give a run or a timeline");
  assertThrows(() => report(runs, { titel: "x" } as never), SchemoeError, 'did you mean "title"?');
  assertThrows(() => report(runs, { charts: ["fats"] }), SchemoeError, 'did you mean "fast"?');
});
