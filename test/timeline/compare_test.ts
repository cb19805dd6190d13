import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { compare } from "../../lib/timeline/measures/compare.ts";
import { predictedVsMeasured } from "../../lib/timeline/measures/prediction.ts";
import { SchemoeError } from "../../lib/types.ts";
import { forwardTimeline, type Row, timelineOf } from "./fixture.ts";
import { assertSvg } from "./snapshot.ts";

const shape = { nodes: 2, ranksPerNode: 2, chunks: 3 };
const runs = [
  { name: "sequential", timeline: forwardTimeline({ ...shape, sequential: true }), bound: 8e-3 },
  { name: "optSche", timeline: forwardTimeline(shape) },
];

Deno.test("compare() of two runs is as in its snapshot", async () => {
  await assertSvg("compare", await compare(runs).svg());
});

Deno.test("compare() gives differences to the first run", () => {
  const send: Row = { start: 10, end: 20, kind: "allToAll", lane: "inter" };
  const slow = timelineOf([{ start: 0, end: 10 }, { ...send, wait: 4 }]);
  const fast = timelineOf([{ start: 0, end: 10 }, { ...send, start: 0, end: 10 }]);
  const idle = timelineOf([{ start: 0, end: 40 }]);
  const { table } = compare([
    { name: "slow", timeline: slow, bound: 10e-9 },
    { name: "fast", timeline: fast, bound: 10e-9 },
    { name: "idle", timeline: idle },
  ]);
  const row = { difference_ns: 0, speed_up: 1, exposed_ns: 0, waiting_ns: 0 };
  assertEquals(table.objects(), [
    {
      ...row,
      run: "slow",
      makespan_ns: 20,
      hidden: 0,
      exposed_ns: 6,
      waiting_ns: 4,
      above_bound: 1,
    },
    {
      ...row,
      run: "fast",
      makespan_ns: 10,
      difference_ns: -10,
      speed_up: 2,
      hidden: 1,
      above_bound: 0,
    },
    {
      ...row,
      run: "idle",
      makespan_ns: 40,
      difference_ns: 20,
      speed_up: 0.5,
      hidden: null,
      above_bound: null,
    },
  ]);
});

Deno.test("compare() tells the passes of its rows where they differ", () => {
  const timeline = timelineOf([{ start: 0, end: 10 }]);
  const names = (passes: string[]) =>
    compare(passes.map((pass) => ({ name: "optSche", pass, timeline }))).table.array("run");
  assertEquals([...names(["forward", "backward"])], ["optSche, forward", "optSche, backward"]);
  assertEquals([...names(["backward", "backward"])], ["optSche", "optSche"]);
});

Deno.test("compare() says sizes once where they are the same", async () => {
  const sized = (tokens: number) => ({ tokens: `${tokens} a rank`, modelDim: 64 });
  const count = async (sizes: readonly number[]) => {
    const svg = await compare(runs.map((run, i) => ({ ...run, configuration: sized(sizes[i]) })))
      .svg();
    return svg.match(/modelDim 64/g)?.length;
  };
  assertEquals([await count([8, 8]), await count([8, 16])], [1, 2]);
});

Deno.test("compare() shows no column of what runs that ran once do not know", () => {
  const measured = runs.map((run) => ({ ...run, configuration: { engine: "cpu, plain links" } }));
  const { table } = compare(measured);
  assertEquals(table.array("spread_ns"), [null, null]);
  assertEquals(`${compare(measured)}`.includes("spread"), false);
  const repeated = measured.map((run) => ({ ...run, repeats: [0.008, 0.009] }));
  assertStringIncludes(`${compare(repeated)}`.split("\n")[0], "spread");
});

Deno.test("compare() puts all charts on one axis, with one legend", async () => {
  const svg = await compare(runs).svg();
  const axes = [...svg.matchAll(/x-axis tick label">(.*?)<\/g>/g)].map(([, axis]) =>
    axis.replace(/,\d+\)/g, ")")
  );
  assertEquals(axes.length, 2);
  assertEquals(axes[0], axes[1]);
  assertEquals(svg.match(/>all-to-all</g)?.length, 1);
  assertStringIncludes(svg, "shorter than the first");
  assertStringIncludes(svg, ">waiting for a peer<");
});

Deno.test("compare() shows charts and table in a notebook", async () => {
  const bundle = await compare(runs)[Symbol.for("Jupyter.display")]();
  assertMatch(bundle["text/html"], /data-schemoe-gantt.*<table/s);
  assertMatch(bundle["image/svg+xml"], /^<svg [^>]*xmlns/);
  assertMatch(bundle["text/plain"], /^run .*makespan/);
});

Deno.test("compare() throws for no runs, and for options that it does not have", () => {
  assertThrows(() => compare([]), SchemoeError, "at least one run");
  assertThrows(
    () => compare(runs, { title: "x" } as never),
    SchemoeError,
    "titled by the name of its run",
  );
  assertThrows(
    () => compare(runs, { widht: 3 } as never),
    SchemoeError,
    '"widht" is not an option',
  );
});

Deno.test("predictedVsMeasured() gives the ratio for each kind, waiting apart", () => {
  const of = (expert: number, sent: number, wait: number) =>
    timelineOf([0, 1].flatMap((rank): Row[] => [
      { rank, name: "E[0]", start: 0, end: expert },
      {
        rank,
        name: "A2[0]",
        start: expert,
        end: expert + wait + sent,
        wait,
        kind: "allToAll",
        lane: "inter",
      },
    ]));
  const prediction = predictedVsMeasured(
    { name: "run", timeline: of(30, 20, 4) },
    { name: "run", timeline: of(20, 20, 0) },
  );
  assertEquals(prediction.table.objects(), [
    { what: "expert", predicted_ns: 20, measured_ns: 30, ratio: 1.5 },
    { what: "allToAll inter", predicted_ns: 20, measured_ns: 20, ratio: 1 },
    { what: "waiting for a peer", predicted_ns: 0, measured_ns: 4, ratio: null },
    { what: "makespan", predicted_ns: 40, measured_ns: 54, ratio: 54 / 40 },
  ]);
  assertEquals(prediction.runs.table.array("run"), ["run, measured", "run, simulated"]);
});

Deno.test("predictedVsMeasured() throws when the Programs differ", () => {
  const other = { name: "other", timeline: forwardTimeline({ ...shape, chunks: 2 }) };
  assertThrows(
    () => predictedVsMeasured(runs[1], other),
    SchemoeError,
    "the simulated run has no task C1[2] at rank 0",
  );
  assertThrows(
    () => predictedVsMeasured(other, runs[1]),
    SchemoeError,
    "the measured run has no task C1[2]",
  );
  assert(predictedVsMeasured(runs[0], runs[1]).table.numRows() > 5);
});
