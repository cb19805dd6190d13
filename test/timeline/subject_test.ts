import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  busBandwidth,
  busy,
  chromeTrace,
  communication,
  compare,
  criticalPath,
  explain,
  exposure,
  fromChromeTrace,
  ganttPng,
  ganttSvg,
  idle,
  loadRun,
  makespan,
  overlap,
  predictedVsMeasured,
  saveRun,
  ShownRun,
  stragglers,
  type Timed,
  toArrow,
  toCSV,
  toParquet,
  verdict,
  writeChromeTrace,
} from "../../lib/timeline/mod.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline } from "./fixture.ts";

const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 2, chunks: 2 });
const run: Timed = { timeline, name: "optSche" };

class Hand extends ShownRun {
  readonly name = "by hand";
  readonly pass = "forward";
  readonly configuration = { scheduler: "optSche", chunks: 2 };
  readonly timeline = timeline;
  readonly bound = 4e-3;
  readonly boundLimit = undefined;
}

const MEASURES = { busBandwidth, busy, criticalPath, exposure, idle, overlap, stragglers };

for (const [name, measure] of Object.entries(MEASURES)) {
  Deno.test(`${name}() of a run is that of its timeline`, () => {
    assertEquals(measure(run).objects(), measure(timeline).objects());
  });
}

Deno.test("what is written of a run is what is written of its timeline", async () => {
  assertEquals(makespan(run), makespan(timeline));
  assertEquals(communication(run).total, communication(timeline).total);
  assertEquals(verdict(run), verdict(timeline));
  assertEquals(toCSV(run), toCSV(timeline));
  assertEquals(toArrow(run), toArrow(timeline));
  assertEquals(await toParquet(run), await toParquet(timeline));
  assertEquals(chromeTrace(run), chromeTrace(timeline));
  assertEquals(explain(run).sentences, explain(timeline).sentences);
  assertEquals(`${compare([run, timeline])}`, `${compare([timeline, run])}`);
  assertEquals(predictedVsMeasured(timeline, run).table.get("ratio", 0), 1);
  assertEquals((await ganttSvg(run)).length > 1000, true);
  assertEquals([...(await ganttPng(run)).subarray(1, 4)], [80, 78, 71]);
});

Deno.test("saveRun() saves a timeline alone, loadRun() finds its name and pass", async () => {
  const folder = await Deno.makeTempDir();
  await saveRun(timeline, `${folder}/run`);
  const loaded = await loadRun(`${folder}/run`);
  assertEquals([loaded.name, loaded.pass, loaded.makespan], [
    "optSche",
    "forward",
    makespan(run) / 1e9,
  ]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("writers take what, then where", async () => {
  const folder = await Deno.makeTempDir();
  await writeChromeTrace(run, `${folder}/trace.json`);
  assertEquals(await Deno.readTextFile(`${folder}/trace.json`), chromeTrace(timeline));
  const turned = `${folder}/a.json` as unknown as Timed;
  await assertRejects(
    () => writeChromeTrace(turned, run as unknown as string),
    SchemoeError,
    "Cannot write the trace: give a run or a timeline",
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a run has its pictures, folder and trace as methods", async () => {
  const folder = await Deno.makeTempDir();
  const hand = new Hand();
  assertEquals(await hand.svg(), await ganttSvg(hand));
  assertEquals(await hand.gantt({ title: "x" }), await ganttSvg(hand, { title: "x" }));
  assertEquals([...(await hand.png({ scale: 1 })).subarray(1, 4)], [80, 78, 71]);
  await hand.save(`${folder}/run`);
  assertEquals((await loadRun(`${folder}/run`)).verdict, hand.verdict);
  const text = await hand.trace(`${folder}/trace.json`);
  assertEquals(text, await Deno.readTextFile(`${folder}/trace.json`));
  assertEquals(makespan(await fromChromeTrace(text)), makespan(timeline));
  assertStringIncludes(await hand.svg(), "by hand · forward");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a forgotten await is named", () => {
  const promise = Promise.resolve(run) as unknown as Timed;
  assertThrows(() => makespan(promise), SchemoeError, 'write "await" before the run');
});
