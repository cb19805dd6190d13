import { assertEquals, assertMatch } from "@std/assert";
import { createLayer, createModel, createStack, openEngine, topK } from "../../mod.ts";

const sizes = { tokens: 64, modelDim: 16, hiddenDim: 32, experts: 4, gate: topK({ k: 2 }) };

Deno.test("a layer prints its sizes, engine, world and number of parameters", () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  using layer = createLayer(engine, sizes);
  const [what, told, timing, world, parameters, ...more] = Deno.inspect(layer).split("\n");
  assertEquals(what, "MoeLayer");
  assertEquals(
    told,
    "tokens 64 a rank · modelDim 16 · hiddenDim 32 · 4 experts, top-2 · float32 · ffn(relu) · gate topK",
  );
  assertEquals(timing, "engine simulate, simulated with the alpha-beta model");
  assertMatch(world, /^1 x 2 ranks, .* GB\/s/);
  // gate 4 x 16, and of each expert 16 x 32, 32, 32 x 16, 16
  assertEquals(parameters, '4,352 parameters in 5 tensors, listed by its "parameters"');
  assertEquals(more, []);
  assertEquals(`${layer}`, Deno.inspect(layer));
});

Deno.test("stacks and models print the same, equal layers once", () => {
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  using stack = createStack(engine, { layer: sizes, layers: 3 });
  assertMatch(Deno.inspect(stack), /^MoeStack of 3 layers\ntokens 64 a rank [^\n]*\nengine /);
  const moe = { experts: 4, hiddenDim: 32 };
  using model = createModel(engine, {
    vocabulary: 10,
    context: 8,
    batch: 2,
    modelDim: 16,
    attention: { heads: 2 },
    layers: [{ moe }, { moe }, { moe: { ...moe, experts: 8 } }],
  });
  assertEquals([`${stack}`, `${model}`], [Deno.inspect(stack), Deno.inspect(model)]);
  assertMatch(
    Deno.inspect(model),
    /^MoeModel after 0 steps · .* · 3 layers, with experts:\ntokens [^\n]*4 experts[^\n]*\ntokens [^\n]*8 experts[^\n]*\nengine /,
  );
});
