import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import {
  BUILT_IN,
  createModel,
  type Expert,
  type ModelConfig,
  openEngine,
  SchemoeError,
} from "../../mod.ts";
import { ffn, swiglu, topK } from "../../lib/blocks/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";
import {
  type GoldenTraining,
  parseGoldenTraining,
  runGoldenTraining,
} from "../../lib/studies/golden_training.ts";
import { byActivation } from "../blocks/by_activation.ts";
import { byCapacity } from "../schedulers/by_capacity.ts";

const FOLDER = new URL("../golden/training/", import.meta.url);

/** Reference runs, experts of their routed layers with the other source of gradients of weights. */
const cases: GoldenTraining[] = [...Deno.readDirSync(FOLDER)]
  .filter(({ name }) => name.endsWith(".safetensors"))
  .map(({ name }) => {
    const golden = parseGoldenTraining(Deno.readFileSync(new URL(name, FOLDER)), name);
    const layers = golden.model.layers as NonNullable<Exclude<ModelConfig["layers"], string>>;
    const own = layers.map((block) =>
      "moe" in block
        ? { moe: { ...block.moe, expert: byActivation(block.moe.expert as Expert) } }
        : block
    );
    return { ...golden, model: { ...golden.model, layers: own } };
  });

Deno.test("reference training runs with gradients of weights from activations: losses, gradients and parameters are the reference's; schedulers change no bit", async () => {
  assertEquals(cases.length, 3);
  for (const golden of cases) {
    using engine = openEngine({
      kind: "cpu",
      nodes: 1,
      ranksPerNode: golden.ranks,
      links: "plain",
    });
    const run = await runGoldenTraining(engine, golden, { scheduler: "optSche", chunks: 2 });
    for (const { step, loss, gradNorm } of run.steps) {
      const relative = (got: number, expected: number) => Math.abs(got - expected) / expected;
      assertLess(relative(loss!, golden.loss[step]), 2e-6, `loss of step ${step}: ${loss}`);
      assertLess(relative(gradNorm!, golden.gradNorm[step]), 5e-6, `norm of step ${step}`);
    }
    for (const [name, expected] of Object.entries(golden.gradients)) {
      assertLess(largestError(run.gradients[name], expected), 1e-5, `gradient of ${name}`);
    }
    const tolerance = golden.model.optimizer!.name === "sgd" ? 1e-5 : 5e-4;
    for (const [name, expected] of Object.entries(golden.final)) {
      assertLess(largestError(run.final[name], expected), tolerance, `${name} at the end`);
    }
    let first: string | undefined;
    for (const scheduler of byCapacity) {
      const allToAlls = scheduler === "optSche" ? BUILT_IN.allToAll : ["linear"];
      for (const allToAll of allToAlls) {
        const choices = { scheduler, allToAll, chunks: 3, steps: 2 };
        const { steps, final } = await runGoldenTraining(engine, golden, choices);
        const text = JSON.stringify([
          steps.map(({ loss, gradNorm }) => [loss, gradNorm]),
          Object.values(final).map((values) => [...values]),
        ]);
        first ??= text;
        assert(text === first, `${golden.name}: ${scheduler}, ${allToAll}`);
      }
    }
  }
});

const config = (expert: Expert, more: Partial<ModelConfig> = {}): ModelConfig => ({
  ...{ vocabulary: 11, context: 8, batch: 4, modelDim: 12, rate: 0.01, attention: { heads: 2 } },
  layers: [
    {
      moe: { experts: 4, hiddenDim: 10, gate: topK({ k: 2 }), expert, routing: { dropless: true } },
    },
    {
      moe: {
        experts: 4,
        hiddenDim: 10,
        gate: topK({ k: 2 }),
        expert,
        routing: { capacityFactor: 1 },
      },
    },
  ],
  ...more,
});

Deno.test("steps with gradients of weights from activations are those by outputs within rounding, and keep no outputs", async () => {
  const more: Partial<ModelConfig>[] = [{}, { microbatches: 2 }, { parallel: { expert: 2 } }];
  for (const options of more) {
    for (const choices of [{}, { chunks: 2 }, { dispatch: "node" }] as const) {
      using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
      const tokens = Int32Array.from({ length: 4 * 4 * 9 }, (_, i) => (i * i) % 11);
      const found = [];
      for (const scoreGradient of ["output", "activation"] as const) {
        using model = createModel(engine, config(swiglu({ scoreGradient }), options));
        const { loss, gradNorm } = await model.step(tokens, choices);
        found.push({ loss: loss!, gradNorm: gradNorm!, peak: model.memory().peak });
      }
      const [before, own] = found;
      // every layer but the one whose pass is under way
      assertLess(own.peak, before.peak);
      assertEquals(own.loss, before.loss);
      assertLess(Math.abs(own.gradNorm / before.gradNorm - 1), 1e-5, JSON.stringify(choices));
    }
  }
});

Deno.test("createModel() refuses the score gradient of an expert of all tokens", () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  const expert = ffn({ scoreGradient: "activation" });
  assertThrows(
    () => createModel(engine, config(ffn(), { layers: [{ ffn: { hiddenDim: 4, expert } }] })),
    SchemoeError,
    'layers[0]: the expert of all tokens "ffn(relu, score gradient: activation)"',
  );
});
