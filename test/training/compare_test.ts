import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { SchemoeError } from "../../mod.ts";
import {
  compareTraining,
  textData,
  TrainingComparison,
  TrainingRun,
} from "../../lib/training/mod.ts";
import { cpu, data, makeModel, withCheckpoint } from "./fixture.ts";

const runs = { none: {}, int8: { compressor: "int8" } };

Deno.test("compareTraining() trains each run with each seed, and goes on from its folder", async () => {
  await withCheckpoint(async (path) => {
    using engine = cpu(2);
    const options = {
      data,
      runs,
      steps: 12,
      seeds: [1, 2],
      validateEvery: 4,
      progress: false as const,
      folder: path.replace(/\/[^/]*$/, "/runs"),
    };
    const seen: string[] = [];
    const compared = await compareTraining((seed) => makeModel(engine, seed), {
      ...options,
      onRun: (run, { name, seed }) => seen.push(`${name} ${seed} ${run.steps.length}`),
    });
    assertEquals(seen, ["none 1 12", "int8 1 12", "none 2 12", "int8 2 12"]);
    const [none, int8] = compared.rows;
    assertEquals([none.name, none.seeds, none.difference], ["none", 2, undefined]);
    assertLess(Math.abs(int8.difference!), 0.05);
    assert(int8.difference !== 0 && none.least < none.most);
    // all is read from the checkpoints
    const again = await compareTraining((seed) => makeModel(engine, seed), options);
    assertEquals(again.runs.map(({ run }) => run.steps), compared.runs.map(({ run }) => run.steps));
    const longer = await compareTraining((seed) => makeModel(engine, seed), {
      ...options,
      steps: 16,
    });
    assertEquals(longer.runs.map(({ run }) => run.validations.length), [4, 4, 4, 4]);
  });
});

Deno.test("compareTraining() gives each seed data of its own where these are a function", async () => {
  using engine = cpu(1);
  const seeds: number[] = [];
  await compareTraining((seed) => makeModel(engine, seed), {
    runs: { none: {} },
    steps: 1,
    seeds: [4, 9],
    progress: false,
    data: (seed) => {
      seeds.push(seed);
      return textData("3 and 2 make 5. ".repeat(40), { seed });
    },
  });
  assertEquals(seeds, [4, 9]);
});

const made = (name: string, seed: number, losses: readonly number[]) => ({
  name,
  seed,
  run: new TrainingRun({
    name,
    configuration: {},
    history: {
      steps: [],
      speeds: [],
      seconds: 1,
      validations: losses.map((loss, i) => ({ step: 10 * (i + 1), loss })),
    },
  }),
});

Deno.test("TrainingComparison pairs seeds for differences and their confidence intervals", async () => {
  const compared = new TrainingComparison([
    made("none", 1, [3, 2]),
    made("none", 2, [3, 2.5]),
    made("none", 3, [3, 3]),
    made("fp8", 1, [3, 2.25]),
    made("fp8", 2, [3, 2.5]),
    made("fp8", 3, [3, 3.5]),
  ]);
  const [none, fp8] = compared.rows;
  assertEquals([none.mean, none.least, none.most], [2.5, 2, 3]);
  assertEquals(fp8.difference, 0.25);
  // of 0.25, 0 and 0.5
  assertLess(Math.abs(fp8.plusMinus! - 4.303 * 0.25 / Math.sqrt(3)), 1e-12);
  assertMatch(`${compared}`, /^fp8 +3 +2\.750 +2\.250 +3\.500 +0\.2500 +0\.6211/m);
  const svg = await compared.svg();
  assertMatch(svg, />none</);
  assertMatch(svg, /aria-label="area"/);
});

Deno.test("compareTraining() names what is wrong", async () => {
  using engine = cpu(1);
  const refused = (options: object, text: string) =>
    assertRejects(
      () =>
        compareTraining((seed) => makeModel(engine, seed), {
          data,
          runs,
          steps: 1,
          ...options,
          // deno-lint-ignore no-explicit-any
        } as any),
      SchemoeError,
      text,
    );
  await refused({ runs: {} }, "runs must be an object");
  await refused({ runs: { int8: "int8" } }, 'the choices of "int8" must be like { compressor');
  await refused({ seeds: [1, 1] }, "seeds must be a list of different integers, got [1, 1]");
  await refused({ step: 4 }, '"step" is not an option');
});
