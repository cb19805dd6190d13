import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  calibrate,
  kendallTau,
  predictionQuality,
  randomShapes,
  regretOf,
} from "../../lib/adaptive/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { topology } from "../../lib/topology.ts";
import { PredictionQuality } from "../../lib/adaptive/quality_result.ts";
import { SchemoeError } from "../../lib/types.ts";
import { hiddenEngine } from "./hidden.ts";

const sizes = { nodes: 2, ranksPerNode: 2 };
const shown = topology(sizes);
const real = topology({
  ...sizes,
  intra: { alpha: 3e-5, beta: 2e-8 },
  inter: { alpha: 2e-4, beta: 9e-8 },
  processor: { alpha: 4e-5, flopRate: 3e9, byteRate: 2e8 },
});
const around = { tokens: 96, modelDim: 64, hiddenDim: 128, experts: 8 };
const one = (predicted: number, ...measured: number[]) => ({ predicted, measured });

Deno.test("kendallTau() counts pairs of a group that are told apart", () => {
  assertEquals(kendallTau([[one(1, 1), one(2, 2), one(3, 3)]]), { tau: 1, pairs: 3, leftOut: 0 });
  assertEquals(kendallTau([[one(3, 1), one(2, 2), one(1, 3)]]).tau, -1);
  assertEquals(kendallTau([[one(1, 1, 4), one(2, 3, 5)]]), { tau: 1, pairs: 0, leftOut: 1 });
  assertEquals(kendallTau([[one(1, 1), one(1, 2)]]), { tau: 0, pairs: 1, leftOut: 0 });
  assertEquals(kendallTau([[one(1, 1)], [one(2, 2)]]).pairs, 0);
});

Deno.test("regretOf() is what the chosen one takes longer than the best, beyond both ranges", () => {
  assertEquals(regretOf([one(1, 12), one(2, 10)]), 0.2);
  assertEquals(regretOf([one(1, 11, 12, 13), one(2, 9, 10, 10.5)]), 0.05);
  assertEquals(regretOf([one(1, 9, 12), one(2, 8, 10)]), 0);
  assertEquals(regretOf([one(1, 10), one(2, 12)]), 0);
});

Deno.test("PredictionQuality has how far one more run ranks choices as the others do", () => {
  const row = (predicted: number, ...measured: number[]) => ({
    shape: 0,
    name: "",
    predicted,
    predictedAtSpeed: predicted,
    bound: 0,
    measured,
    all: measured[0],
    disturbed: false,
    runs: measured.length,
    calmRuns: measured.length,
    kinds: [],
  });
  const rows = [row(3, 1, 1.1, 1.2), row(2, 2, 2.1, 0.9), row(1, 3, 3.1, 3.2), row(4, 5)];
  const quality = new PredictionQuality(rows, { shapes: 1, repeats: 3, facts: [] });
  // the last run of the second is faster than that of the first; the fourth has one run only
  assertEquals(quality.repeated, { tau: 1 / 3, pairs: 3, leftOut: 0 });
  assert(quality.summary.includes("of one more run in place of the prediction 0.333"));
  const once = new PredictionQuality(rows.slice(3), { shapes: 1, repeats: 1, facts: [] });
  assert(!once.summary.includes("one more run"), once.summary);
});

Deno.test("predictionQuality() of held-out shapes: a fitted profile predicts, one of another machine does not", async () => {
  const engine = hiddenEngine({ shown, real, noise: 0.01 });
  const profile = await calibrate(engine, { seconds: 1000, layer: around, codecs: ["int8"] });
  const shapes = randomShapes(4, { around, topology: shown, seed: 3 });
  const good = await predictionQuality(engine, { profile, shapes });
  assert(good.stepError.typical < 0.01, good.summary);
  assert(good.agreement.tau > 0.95 && good.agreement.pairs > 50, good.summary);
  assert(good.regret.most < 0.01, good.summary);
  assert(good.byKind.some(({ what }) => what === "allToAll inter"), `${good}`);
  assert(good.byKind.every(({ rows }) => rows > 0) && !`${good}`.includes("launch"), `${good}`);
  const svg = await good.svg();
  assert(svg.startsWith("<svg") && /> *[^<]*dtype float32/.test(svg) && / x \d+ ranks/.test(svg));
  engine.become({ ...real, processor: { ...real.processor, flopRate: 1e9 } });
  const bad = await predictionQuality(engine, { profile, shapes });
  const experts = bad.byKind.find(({ what }) => what === "expert")!;
  assert(experts.median < -0.5 && bad.stepError.typical > 0.1, bad.summary);
});

Deno.test("predictionQuality() runs choices in turn: a machine that becomes slower changes no order", async () => {
  const profile = await calibrate(hiddenEngine({ shown, real }), {
    seconds: 1000,
    layer: around,
    codecs: ["int8"],
  });
  const engine = hiddenEngine({ shown, real, drift: 1e-3 });
  const { agreement, regret } = await predictionQuality(engine, { profile, shapes: [around] });
  assert(agreement.tau > 0.95 && agreement.pairs > 5, JSON.stringify(agreement));
  assert(regret.most < 1e-6, JSON.stringify(regret));
});

/** A processor that computes at a part of its speed. */
const slowed = (speed: number) => {
  const { alpha, flopRate, byteRate } = real.processor;
  return { alpha: alpha / speed, flopRate: flopRate * speed, byteRate: byteRate * speed };
};

Deno.test("predictionQuality() tells the machine's speed by a probe, and what it leaves of the error", async () => {
  const engine = hiddenEngine({ shown, real });
  const profile = await calibrate(engine, { seconds: 1000, layer: around, codecs: ["int8"] });
  const shapes = randomShapes(2, { around, topology: shown, seed: 3 });
  const same = await predictionQuality(engine, { profile, shapes });
  assertEquals(same.speed, { median: 1, least: 1, most: 1 });
  assertEquals(same.stepErrorAtSpeed, same.stepError);
  engine.become({ ...real, processor: slowed(0.7) });
  const { speed, stepError, stepErrorAtSpeed, rows, summary } = await predictionQuality(engine, {
    profile,
    shapes,
  });
  assert(Math.abs(speed!.median - 0.7) < 1e-6 && speed!.least === speed!.most, `${speed!.median}`);
  assert(stepError.median < -0.02, `the error as it is stays: ${stepError.median}`);
  assert(stepErrorAtSpeed.typical < 0.01, `${stepErrorAtSpeed.typical}`);
  assert(rows.every(({ predicted, predictedAtSpeed }) => predicted < predictedAtSpeed));
  assert(summary.includes("speed meanwhile (0.70 of what it was"), summary);
  // links that became slower are no matter of speed
  engine.become({
    ...real,
    links: topology({ ...sizes, inter: { alpha: 2e-4, beta: 4e-7 } }).links,
  });
  const links = await predictionQuality(engine, { profile, shapes });
  assert(Math.abs(links.speed!.median - 1) < 1e-6);
  assert(links.stepErrorAtSpeed.typical > 0.1, links.summary);
  // without a probe nothing is told
  const { probe: _, ...older } = profile;
  const without = await predictionQuality(engine, { profile: older, shapes });
  assertEquals([without.speed, without.summary.includes("meanwhile")], [undefined, false]);
  assertEquals(without.stepErrorAtSpeed, without.stepError);
});

Deno.test("predictionQuality() predicts layers whose experts several ranks hold, by every default choice", async () => {
  const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const copied = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 4, parallel: { expert: 2 } };
  const profile = await calibrate(engine, { layer: copied, codecs: ["int8"], seconds: 1000 });
  const { stepError, rows } = await predictionQuality(engine, { profile, shapes: [copied] });
  assert(rows.length > 4 && stepError.typical < 0.01, `${stepError.typical}`);
});

Deno.test("predictionQuality() counts identical orders once", async () => {
  const engine = hiddenEngine({ shown, real });
  const profile = await calibrate(engine, { seconds: 1000, layer: around, codecs: [] });
  const choices = ["optSche", "pipeMoE", "sequential"].map((scheduler) => ({
    scheduler,
    chunks: 2,
  }));
  const { rows } = await predictionQuality(engine, { profile, shapes: [around], choices });
  assertEquals(rows.length, 2);
  await assertRejects(
    () => predictionQuality(engine, { profile, shapes: [] }),
    SchemoeError,
    "shapes must be a list",
  );
});

Deno.test("predictionQuality() and randomShapes() refuse what they cannot judge, naming it", async () => {
  const engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const around = { tokens: 32, modelDim: 16, hiddenDim: 16, experts: 4 };
  const profile = await calibrate(engine, { layer: around, codecs: [], seconds: 1000 });
  const shapes = randomShapes(1, { around, topology: engine.topology });
  const many = {
    profile,
    choices: [{}],
    shapes: randomShapes(50, { around, topology: engine.topology }),
  };
  const { made, rows } = await predictionQuality(engine, { ...many, seconds: 1e-3 });
  assertEquals([made.shapes, new Set(rows.map(({ shape }) => shape)).size], [1, 1]);
  const wrong: readonly (readonly [Record<string, unknown> | undefined, string])[] = [
    [undefined, "got undefined"],
    [{ shapes }, "give the profile that predicts"],
    [{ profile, shapes, shape: 1 }, 'did you mean "shapes"'],
    [{ profile, shapes, choices: [] }, "choices must be a list that is not empty"],
    [{ profile, shapes, repeats: 0 }, "repeats is 0, not an integer from 1 on"],
    [{ profile, shapes, most: NaN }, "most is NaN"],
    [{ profile, shapes, seconds: 0 }, "seconds is 0, not above 0"],
    [{ profile, shapes, choices: [{ scheduler: "auto" }] }, "name a scheduler"],
  ];
  for (const [options, text] of wrong) {
    await assertRejects(() => predictionQuality(engine, options as never), SchemoeError, text);
  }
  for (const count of [0, 1.5, "2" as never]) {
    assertThrows(() => randomShapes(count, { around, topology: engine.topology }), SchemoeError);
  }
});
