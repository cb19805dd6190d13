import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { openEngine, openSafetensors, SchemoeError } from "../../mod.ts";
import { randomTokens, train, type TrainingProgress } from "../../lib/training/mod.ts";
import { cpu, data, makeModel, withCheckpoint } from "./fixture.ts";

Deno.test("train() learns, and tells losses, speed, loads and validation", async () => {
  using engine = cpu(2);
  using model = makeModel(engine);
  const reports: TrainingProgress[] = [];
  const run = await train(model, {
    data,
    steps: 60,
    reportEvery: 20,
    validateEvery: 30,
    validationSequences: 9,
    progress: (report) => reports.push(report),
  });
  assertEquals(run.steps.map(({ step }) => step), Array.from({ length: 60 }, (_, i) => i));
  assertLess(run.steps[59].loss, 0.8 * run.steps[0].loss);
  assertEquals(reports.map(({ step }) => step), [20, 40, 60]);
  assertEquals(run.validations.map(({ step }) => step), [30, 60]);
  assertEquals(reports[2].validation, run.validations[1]);
  assertLess(run.validations[1].loss, run.validations[0].loss);
  assertEquals(run.validationLoss, run.validations[1].loss);
  // 2 ranks x 4 sequences x 12 tokens, each with 2 experts
  for (const { loads } of run.steps) {
    assertEquals(loads.map((list) => list.length), [4]);
    assertEquals(loads[0].reduce((a, b) => a + b, 0), 192);
  }
  const { tokensPerSecond, hidden } = reports[1];
  assert(tokensPerSecond > 0 && hidden! >= 0 && hidden! <= 1);
  assertEquals(run.table.numRows(), 60);
});

Deno.test("train() sends tokens once to a node where asked, and goes on from a checkpoint with the same losses", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 1, links: "plain" });
  const losses = async (steps: number, checkpoint?: string) => {
    using model = makeModel(engine);
    const options = { data, steps, checkpoint, dispatch: "node", progress: false } as const;
    const run = await train(model, options);
    assertEquals(run.configuration.allToAll, "once a node");
    return [...run.steps.map(({ loss }) => loss), run.validationLoss];
  };
  const whole = await losses(4);
  await withCheckpoint(async (path) => {
    await losses(2, path);
    assertEquals(await losses(4, path), whole);
  });
  using model = makeModel(engine);
  await assertRejects(
    () => train(model, { data, steps: 1, dispatch: "nodes" as "node", progress: false }),
    SchemoeError,
    'Unknown dispatch "nodes"',
  );
});

Deno.test("train() says nothing of hidden communication where there is none", async () => {
  using engine = cpu(1);
  using model = makeModel(engine);
  const run = await train(model, { data, steps: 2, progress: false });
  assertEquals(run.speeds.map(({ hidden }) => hidden), [undefined, undefined]);
});

Deno.test("train() goes on from its checkpoint as if it had not ended", async () => {
  await withCheckpoint(async (checkpoint) => {
    using engine = cpu(2);
    const options = { data, validateEvery: 4, progress: false } as const;
    using whole = makeModel(engine), first = makeModel(engine), second = makeModel(engine, 9);
    await Promise.all([whole, first, second].map((model) => model.ready()));
    const expected = await train(whole, { ...options, steps: 12 });
    await train(first, { ...options, steps: 7, checkpoint });
    const run = await train(second, { ...options, steps: 12, checkpoint });
    assertEquals(run.steps, expected.steps);
    assertEquals(run.validations.filter(({ step }) => step !== 7), expected.validations);
    assertEquals(run.validations.length, expected.validations.length + 1);
    // the model itself goes on likewise, and one of another step is refused
    assertEquals((await train(second, { ...options, steps: 12, checkpoint })).steps, run.steps);
    await train(second, { ...options, steps: 13 });
    await assertRejects(
      () => train(second, { ...options, steps: 14, checkpoint }),
      SchemoeError,
      "it has done 13 steps, its checkpoint",
    );
  });
});

Deno.test("train() goes on with another number of ranks on the same sequences", async () => {
  await withCheckpoint(async (checkpoint) => {
    using two = cpu(2), four = cpu(4);
    const options = { data, validateEvery: 0, progress: false, checkpoint } as const;
    using model = makeModel(two), wider = makeModel(four, 1, { batch: 2 });
    await train(model, { ...options, steps: 5 });
    const { steps } = await train(wider, { ...options, steps: 8, checkpointEvery: 99 });
    await Deno.remove(checkpoint);
    using alone = makeModel(two);
    const expected = await train(alone, { ...options, steps: 8 });
    assertEquals(steps.slice(0, 5), expected.steps.slice(0, 5));
    for (const { step, crossEntropy } of steps) {
      const error = Math.abs(crossEntropy / expected.steps[step].crossEntropy - 1);
      assertLess(error, 1e-4, `step ${step}`);
    }
  });
});

Deno.test("train() ends at a signal with a checkpoint, and after its seconds with a result", async () => {
  await withCheckpoint(async (checkpoint) => {
    using engine = cpu(1);
    using model = makeModel(engine);
    const controller = new AbortController();
    const progress = ({ step }: TrainingProgress) => {
      if (step === 3) controller.abort(new Error("enough"));
    };
    const error = await assertRejects(
      () =>
        train(model, {
          data,
          steps: 50,
          reportEvery: 1,
          validateEvery: 0,
          checkpoint,
          progress,
          signal: controller.signal,
        }),
      SchemoeError,
      "Training was stopped after 4 steps: enough; ",
    );
    assertEquals(error.status, 3);
    using file = await openSafetensors(checkpoint);
    assertEquals(file.metadata.step, "4");
  });
  using engine = cpu(1);
  using model = makeModel(engine);
  const run = await train(model, { data, steps: 1e6, seconds: 0.1, progress: false });
  assertEquals(run.stopped, "0.1 s are over");
  assert(run.steps.length >= 1 && run.validations.length === 1);
});

Deno.test("train() ends at a loss that is not finite, and keeps the checkpoint before it", async () => {
  await withCheckpoint(async (checkpoint) => {
    using engine = cpu(1);
    // the step of infinite length is the third
    const rate = { name: "broken", at: (step: number) => step === 2 ? 1e38 : 0.01 };
    using model = makeModel(engine, 1, { rate, clip: 0 });
    const run = await train(model, {
      data,
      steps: 9,
      checkpoint,
      checkpointEvery: 2,
      validateEvery: 2,
      progress: false,
    });
    assertEquals(run.stopped, "the loss of step 3 is NaN");
    assertEquals(run.steps.length, 4);
    assertEquals(run.validations.map(({ step }) => step), [2]);
    using file = await openSafetensors(checkpoint);
    assertEquals(file.metadata.step, "2");
  });
});

Deno.test("train() with checkNumbers names the first number that is not finite", async () => {
  using engine = cpu(1);
  using model = makeModel(engine);
  model.set({ embedding: new Float32Array(data.vocabulary * 16).fill(NaN) });
  const options = { data, steps: 3, progress: false, checkNumbers: true } as const;
  const error = await assertRejects(() => train(model, options), SchemoeError);
  assert(error.message.includes("wrote NaN"), error.message);
});

Deno.test("train() names the option that is wrong", async () => {
  using engine = cpu(1);
  using model = makeModel(engine);
  const refused = (options: object, text: string) =>
    // deno-lint-ignore no-explicit-any
    assertRejects(() => train(model, { data, steps: 3, ...options } as any), SchemoeError, text);
  await refused({ step: 3 }, '"step" is not an option');
  await refused({ step: 3 }, 'did you mean "steps"');
  await refused({ steps: 0 }, "steps must be a positive integer, got 0");
  await refused({ data: {} }, "data must have a function batch");
  await refused({ data: randomTokens({ vocabulary: 500 }) }, "has 500 different tokens");
  await refused({ seconds: -1 }, "seconds must be a positive number");
  await refused({ signal: 3 }, "signal must be an AbortSignal");
  const random = randomTokens({ vocabulary: 4 });
  await refused({ data: random, validateEvery: 1 }, "has no validation");
  using simulator = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  using other = makeModel(simulator);
  await assertRejects(() => train(other, { data, steps: 1 }), SchemoeError, "computes no values");
});

Deno.test("train() says so where the model has done as many steps already", async () => {
  using engine = cpu(1);
  using model = makeModel(engine);
  await train(model, { data, steps: 3, progress: false });
  await assertRejects(
    () => train(model, { data, steps: 2, progress: false }),
    SchemoeError,
    "it has done 3 steps, and steps, 2, counts them too; for 2 more give 5",
  );
  assertEquals((await train(model, { data, steps: 5, progress: false })).steps.length, 2);
});
