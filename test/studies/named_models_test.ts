import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { createModel, openEngine, SchemoeError } from "../../mod.ts";
import type { NamedModelConfig } from "../../lib/model/mod.ts";
import { model, MODEL_NAMES } from "../../lib/studies/models/mod.ts";

const sizes = {
  ...{ vocabulary: 64, context: 8, batch: 2, attention: { heads: 2, headDim: 8 }, rate: 0.01 },
  parallel: { expert: 2 },
};

/** Two layers at a fraction of the widths and experts. */
function small(name: string) {
  const { modelDim, hiddenDim, experts, topK } = model(name).scaledTo(1 / 256);
  return model(name).scaledTo({ layers: 2, modelDim, hiddenDim, experts, topK, vocabulary: 64 });
}

for (const name of MODEL_NAMES) {
  Deno.test(`createModel({ layers: model("${name}") }) trains, and is simulated at its real sizes`, async () => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
    using trained = createModel(engine, { ...sizes, layers: small(name) });
    const tokens = Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => (i * i) % 64);
    const { loss, crossEntropy, gradNorm } = await trained.step(tokens, { scheduler: "optSche" });
    assert(Number.isFinite(loss) && gradNorm! > 0);
    await trained.step(tokens);
    const before = crossEntropy!.reduce((a, b) => a + b) / 2;
    assertLess(await trained.evaluate(tokens), before);

    const layers = model(name).scaledTo({ layers: 1 });
    using simulator = openEngine({ kind: "simulate", nodes: 4, ranksPerNode: 8 });
    const real = createModel(simulator, {
      ...{ vocabulary: 129280, context: 4096, batch: 1, dtype: "bfloat16", layers },
      ...{ attention: { heads: 32, headDim: 128 }, parallel: { expert: 8 } },
    });
    assertEquals(real.shape.modelDim, model(name).modelDim);
    assert((await real.step()).makespan > 0);
  });
}

Deno.test("createModel() takes all layers of a model by name, and says what does not fit them", () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const layers = model("deepseek-v4-flash").scaledTo(1 / 64);
  const { shape } = createModel(engine, { ...sizes, layers });
  assertEquals([shape.layers.length, shape.modelDim], [43, 64]);
  const gates = shape.layers.map((block) => "moe" in block && block.moe.gate.name);
  assertEquals(gates.slice(0, 4), ["hashed", "hashed", "hashed", gates[42]]);
  const says = (config: object, message: string) =>
    assertThrows(
      () => createModel(engine, { ...sizes, ...config } as NamedModelConfig),
      SchemoeError,
      message,
    );
  says({ layers, modelDim: 32 }, "modelDim is 32, that of deepseek-v4-flash is 64");
  says(
    { layers: "deepseek-v4-flash" },
    'layers must be a list of { moe } and { ffn }, or model("...")',
  );
  says({ layers: undefined }, "layers must be a list of { moe } and { ffn }");
});
