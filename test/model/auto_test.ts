import { assert, assertEquals, assertLess } from "@std/assert";
import { createModel, type ModelConfig, openEngine, topK } from "../../mod.ts";
import { randomTokens, train } from "../../lib/training/mod.ts";
import { topology } from "../../lib/topology.ts";
import { hiddenEngine } from "../adaptive/hidden.ts";

const sizes: ModelConfig = {
  vocabulary: 11,
  context: 8,
  batch: 4,
  modelDim: 12,
  rate: 0.01,
  attention: { heads: 3 },
  layers: [{
    moe: { experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), routing: { capacityFactor: 2 } },
  }],
};
const world = { nodes: 2, ranksPerNode: 1 } as const;

Deno.test('step() with scheduler "auto" tries candidates, then keeps to the fastest', async () => {
  using engine = openEngine({ kind: "simulate", ...world });
  using model = createModel(engine, sizes);
  const steps = [];
  for (let i = 0; i < 26; i++) steps.push(await model.step(undefined, { scheduler: "auto" }));
  assert(steps[0].name.startsWith("auto, trial 1 of up to 24: "), steps[0].name);
  const last = steps.at(-1)!;
  assert(/^auto: /.test(last.name), last.name);
  // times of the simulator do not vary: none that was tried was faster
  assertEquals(last.makespan, Math.min(...steps.map(({ makespan }) => makespan)));
  const plain = await model.step(undefined, { scheduler: "sequential" });
  assertLess(last.makespan, plain.makespan);
});

Deno.test('train() with scheduler "auto" has the losses of a fixed schedule, and keeps a codec that was chosen', async () => {
  using engine = openEngine({ kind: "cpu", ...world, links: "plain" });
  const data = randomTokens({ vocabulary: 11 });
  const losses = async (choices: { scheduler: string; compressor: string }) => {
    using model = createModel(engine, sizes);
    const run = await train(model, { data, steps: 8, progress: false, ...choices });
    assertEquals(run.configuration.compressor, choices.compressor);
    return run.steps.map(({ loss }) => loss);
  };
  const tried = await losses({ scheduler: "auto", compressor: "fp16" });
  const fixed = await losses({ scheduler: "sequential", compressor: "fp16" });
  for (const [i, loss] of tried.entries()) assertLess(Math.abs(loss / fixed[i] - 1), 1e-4);
});

Deno.test('evaluate() with scheduler "auto" needs no step before', async () => {
  using engine = openEngine({ kind: "cpu", ...world, links: "plain" });
  using model = createModel(engine, sizes);
  const tokens = Int32Array.from({ length: 2 * 4 * 9 }, (_, i) => i % 11);
  const loss = await model.evaluate(tokens, { scheduler: "auto" });
  assertEquals(loss, await model.evaluate(tokens));
});

Deno.test('step() with scheduler "auto" tunes again when times drift, and logs what it did', async () => {
  const real = topology(world);
  const engine = hiddenEngine({ shown: real, real });
  const model = createModel(engine, sizes);
  model.auto = { trials: 4, repeats: 2 };
  const steps = async (count: number) => {
    for (let i = 0; i < count; i++) await model.step(undefined, { scheduler: "auto" });
    return model.tuning.log.map(({ event, pass }) => `${pass} ${event}`);
  };
  const chosen = ["step predicted", "step trial", "step trial", "step trial", "step trial"];
  assertEquals(await steps(8), [...chosen, "step chosen"]);
  assert(model.tuning.step, "nothing was chosen");
  engine.become(topology({ ...world, processor: { flopRate: 1e8 } }));
  const later = (await steps(16)).slice(6);
  assertEquals(later.slice(0, 6), ["step drift", ...chosen]);
});

Deno.test('step() with scheduler "auto" tunes a dropless model again when its routing changes', async () => {
  using engine = openEngine({ kind: "cpu", ...world, links: "plain" });
  const moe = { experts: 4, hiddenDim: 10, gate: topK({ k: 1 }), routing: { dropless: true } };
  using model = createModel(engine, { ...sizes, rate: 0, layers: [{ moe }] });
  model.auto = { trials: 1, repeats: 1, drift: 1e6 };
  const events = async (tokens: (i: number) => number) => {
    const batch = Int32Array.from({ length: 2 * 4 * 9 }, (_, i) => tokens(i));
    for (let i = 0; i < 6; i++) await model.step(batch, { scheduler: "auto" });
    return model.tuning.log.map(({ event }) => event);
  };
  const first = await events((i) => i % 11);
  assertEquals(first, ["predicted", "trial", "chosen"]);
  // all tokens alike go to one expert
  const later = await events(() => 3);
  assertEquals(later.slice(3, 5), ["routing", "predicted"]);
  const [{ text }] = model.tuning.log.filter(({ event }) => event === "routing");
  assert(/^\d+ tokens of the busiest expert became \d+; tuned again$/.test(text), text);
});
