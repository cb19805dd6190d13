import { assert, assertEquals, assertMatch } from "@std/assert";
import { TrainingRun } from "../../lib/training/mod.ts";
import { loadCells } from "../../lib/training/loads_chart.ts";
import { smoothed } from "../../lib/training/smooth.ts";
import type { StepRow } from "../../lib/training/mod.ts";

const step = (number: number, loads: readonly (readonly number[])[]): StepRow => ({
  step: number,
  loss: 3 - number / 100,
  crossEntropy: 2.9 - number / 100,
  gradNorm: 1,
  rate: 0.1,
  loads,
});

const run = (steps: readonly StepRow[]) =>
  new TrainingRun({
    name: "some run",
    configuration: { compressor: "int8" },
    history: {
      steps,
      speeds: [{ step: 1, tokensPerSecond: 10 }, { step: 2, tokensPerSecond: 30, hidden: 0.25 }],
      validations: [{ step: 2, loss: 2.75 }],
      seconds: 61,
    },
  });

Deno.test("smoothed() is the mean of a fiftieth of all points", () => {
  const points = Array.from({ length: 100 }, (_, i) => ({ step: i, loss: i % 2 }));
  const found = smoothed(points);
  assertEquals([found[0].loss, found[1].loss, found[99].loss], [0, 0.5, 0.5]);
  assertEquals(smoothed(points.slice(0, 3)), points.slice(0, 3));
});

Deno.test("loadCells() are loads over the mean of their layer, means of steps where there are many", () => {
  const cells = loadCells([step(0, [[0, 4], [3, 1]]), step(1, [[2, 2], [2, 2]])]);
  assertEquals(cells.length, 8);
  assertEquals(cells.slice(0, 4).map(({ load }) => load), [0, 2, 1.5, 0.5]);
  assertEquals(cells[7], { layer: "layer 1", from: 1, to: 2, expert: 1, load: 1 });
  const many = loadCells(Array.from({ length: 240 }, (_, i) => step(i, [[i % 2, 1 - i % 2]])));
  assertEquals(many.length, 240);
  assertEquals(many[0], { layer: "layer 0", from: 0, to: 2, expert: 0, load: 1 });
  assertEquals(loadCells([]), []);
});

Deno.test("loadsSvg() paints idle experts violet and busy ones orange, as its legend says", async () => {
  const svg = await run([step(0, [[0, 4, 2]])]).loadsSvg();
  const fills = [...svg.matchAll(/<rect[^>]* fill="rgb\((\d+), (\d+), (\d+)\)"/g)]
    .map((match) => match.slice(1).map(Number));
  assertEquals(fills.length, 3);
  const [[idleRed, , idleBlue], [busyRed, , busyBlue], even] = fills;
  assert(
    idleBlue > idleRed && busyRed > busyBlue && even.every((value) => value > 200),
    `${fills}`,
  );
  assertMatch(svg, />compressor int8</);
  assertMatch(svg, /0 \(violet\) · even \(white\) · twice and more \(orange\)/);
});

Deno.test("TrainingRun shows its curve and says what it did", async () => {
  const shown = run([step(0, [[1]]), step(1, [[1]])]);
  assertEquals(
    shown.verdict,
    "some run: 2 steps in 61.00 s · loss 2.9900 · validation 2.7500 · 30 tokens/s · " +
      "25 % of communication hidden",
  );
  assertEquals(shown.caption, "compressor int8");
  const svg = await shown.svg();
  assertMatch(svg, />training</);
  assertMatch(svg, />validation</);
  // each step, its mean, and the validation
  assertEquals([...svg.matchAll(/<g[^>]*aria-label="line"/g)].length, 3);
  const display = Symbol.for("Jupyter.display") as keyof TrainingRun;
  const bundle = await (shown[display] as () => Promise<Record<string, string>>).call(shown);
  assertEquals(Object.keys(bundle).sort(), ["image/svg+xml", "text/html", "text/plain"]);
});
