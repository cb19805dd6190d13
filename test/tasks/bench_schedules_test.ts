import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { combinationText, gainOf } from "../../lib/tasks/bench/gains.ts";
import { bothPasses, byBestTime } from "../../lib/tasks/bench/schedules.ts";
import { scheduleReports } from "../../lib/tasks/bench/nccl_schedules.ts";
import { fromCSV } from "../../lib/timeline/mod.ts";
import { SchemoeError } from "../../lib/types.ts";
import { openEngine, topK } from "../../mod.ts";

const timed = (scheduler: string, allToAll: string, codec: string, chunks: number, ms: number) => ({
  scheduler,
  allToAll,
  codec,
  chunks,
  seconds: ms * 1e-3,
});

const MEASURED = [
  timed("sequential", "linear", "none", 1, 30),
  timed("sequential", "linear", "none", 1, 50), // its other pass
  timed("tutel", "pipe", "none", 2, 50),
  timed("tutel", "pipe", "none", 4, 48),
  timed("tutel", "linear", "none", 4, 45),
  timed("optSche", "pipe", "none", 4, 40),
  timed("optSche", "pipe", "int8", 2, 20),
  timed("tutel", "pipe", "int8", 8, 25),
];

Deno.test("bothPasses() sums what was measured of a combination", () => {
  const [first, ...rest] = bothPasses(MEASURED);
  assertAlmostEquals(first.seconds, 0.08);
  assertEquals(rest.length, MEASURED.length - 2);
});

Deno.test("gainOf() compares the best with the baseline and with tutel's own best", () => {
  const any = gainOf(MEASURED);
  assertEquals(combinationText(any.best.combination), "optSche + pipe + int8, 2 chunks");
  assertAlmostEquals(any.overBaseline, 4);
  assertEquals(any.tutel.combination.chunks, 8);
  assertAlmostEquals(any.overTutel, 1.25);
  const plain = gainOf(MEASURED, ({ codec }) => codec === "none");
  assertEquals(combinationText(plain.tutel.combination), "tutel + pipe + none, 4 chunks");
  assertAlmostEquals(plain.overTutel, 1.2);
});

Deno.test("gainOf() names what was not measured", () => {
  const list = [timed("optSche", "pipe", "none", 4, 40)];
  assertThrows(() => gainOf(list), SchemoeError, "sequential + linear + none, 1 chunk");
  const baseline = timed("sequential", "linear", "none", 1, 50);
  assertThrows(() => gainOf([...list, baseline]), SchemoeError, "tutel + pipe + none");
});

Deno.test("byBestTime() sorts all-to-alls, those without times last", () => {
  const names = ["bruck", "linear", "pipe"];
  assertEquals(byBestTime(MEASURED, names), ["pipe", "linear", "bruck"]);
});

Deno.test("scheduleReports() compares schedules on the CPU engine and saves timelines", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, computation: "paced" });
  const folder = await Deno.makeTempDir();
  try {
    const config = { tokens: 16, modelDim: 8, hiddenDim: 8, experts: 4, gate: topK({ k: 2 }) };
    const [schedules, gains] = await scheduleReports(engine, config, {
      schedulers: ["sequential", "tutel", "fasterMoE"],
      allToAlls: ["linear", "pipe"],
      codecs: ["none", "int8"],
      chunks: [1, 2],
      repetitions: 1,
      seconds: 60,
      sharing: { of: [0, 0, 0, 0], gain: 4 },
      save: folder,
    });
    assertEquals(schedules.rows.length, 2 * 3 * 2 * 2 * 2);
    // which of them is less depends on what else this machine does
    assert(
      schedules.rows.every(({ ms, boundMs }) => (ms as number) > 0 && (boundMs as number) > 0),
    );
    assertEquals(schedules.configuration.leftOut, "nothing");
    assertEquals(gains.rows.length, 6);
    for (const { overBaseline, overTutel } of gains.rows) {
      assert((overBaseline as number) >= 1 && (overTutel as number) >= 1);
    }
    assert(String(gains.rows[0].lanes).includes("inter busy"));
    assert(String(gains.rows[0].why).includes("critical path"));
    for (const pass of ["forward", "backward"]) {
      const about = JSON.parse(await Deno.readTextFile(`${folder}/${pass}-baseline.json`));
      assertEquals(about.configuration.scheduler, "sequential");
      const timeline = fromCSV(await Deno.readTextFile(`${folder}/${pass}-best.csv`));
      assert(timeline.numRows() > 0);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("scheduleReports() leaves out codecs when the time is over, never the first", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, computation: "paced" });
  const config = { tokens: 4, modelDim: 4, hiddenDim: 4, experts: 2 };
  const [{ rows, configuration }] = await scheduleReports(engine, config, {
    schedulers: ["sequential", "tutel"],
    allToAlls: ["linear"],
    codecs: ["none", "fp16"],
    chunks: [1],
    repetitions: 1,
    seconds: 0,
    sharing: { of: [0, 1], gain: 1 },
  });
  assertEquals(rows.length, 4);
  assertEquals(configuration.leftOut, "linear + fp16");
});
