/**
 * What others have broken in gates and losses, each a property, and the test that holds it.
 *
 * | property | broken in | test |
 * |---|---|---|
 * | a sequence's loss does not depend on how sequences are batched | Megatron #5798 | gates_test: a sequence's loss does not depend on the sequences beside it |
 * | the z-loss shown is the z-loss added, whatever the micro-batches | Megatron #3199 | here: the loss shown is the loss added |
 * | each layer contributes to the sum of losses once | Megatron #6748 | here: each layer of a model contributes its losses once; gates_test: the total is each loss once |
 * | padding counts in no load, no update of a bias and no loss | Megatron #6114 | here: padding counts in no load; losses and their gradients do not depend on padding |
 * | gradients do not depend on the size of expert groups | Megatron #5956 | here: gradients do not depend on the size of expert groups; gates_test: losses and gradients do not depend on the number of ranks |
 * | the gradient norm counts every expert parameter once | Megatron #5916 | here: the gradient norm does not depend on the number of ranks |
 * | the bias moves selection only and has no gradient | DeepSeek-V3 | gates_test: a constant added to all selection biases |
 * | selection by s + b, weights by s | DeepSeek-V3 | gates_test: weights are scores without the selection bias |
 * | equal scores and NaN choose the same everywhere | torch.topk | gates_test: equal scores choose the larger logit; NaN is chosen before everything |
 * | a single choice is not normalized to 1 without a gradient | Megatron #894 | here: a single choice keeps its score and its gradient |
 * | no choice outside the kept groups, also when scores are equal | | gates_test: no choice is outside the kept groups |
 * | experts without computation send nothing; a token may choose several | LongCat-Flash | here: experts without computation take no places; gates_test: experts without computation send nothing |
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { createLayer, createModel, openEngine, SchemoeError, topK } from "../../mod.ts";
import {
  expertChoice,
  globalBatch,
  gshard,
  importance,
  type LayerConfig,
  load,
  noisyTopK,
  quantileUpdate,
  reluRouting,
  sequence,
  sgd,
  signUpdate,
  switchBalance,
  tokenRounding,
  z,
} from "../../lib/blocks/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import type { ModelConfig } from "../../lib/model/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";

const SIZES = { tokens: 12, modelDim: 6, hiddenDim: 5, experts: 8 };
const ROUTING = { capacityFactor: 0 } as const;
const open = (ranks: number) =>
  openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });

type Tensors = Record<string, Float32Array | Int32Array>;

async function run(ranks: number, config: Partial<LayerConfig>, tensors: Tensors) {
  using engine = open(ranks);
  using layer = createLayer(engine, { ...SIZES, routing: ROUTING, ...config });
  layer.set(tensors);
  const { output, losses, auxLoss, loads } = await layer.forward({ results: true });
  const { gradients } = await layer.backward({ results: true });
  const bias = layer.layer.gate.update ? layer.get("gate.selectionBias") : undefined;
  return {
    output: output!,
    losses: losses!,
    auxLoss: auxLoss!,
    loads: [...loads!],
    bias,
    gradients: gradients!,
  };
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);

/** x, dy and the weight of the gate for 48 tokens over all ranks. */
function inputs(): Record<"x" | "dy" | "gate.weight", Float32Array> {
  const size = 48 * SIZES.modelDim;
  return {
    x: randomNormal(size, { seed: 5 }),
    dy: randomNormal(size, { seed: 6 }),
    "gate.weight": randomNormal(SIZES.experts * SIZES.modelDim, { seed: 7 }),
  };
}

for (const loss of [z, switchBalance]) {
  const { name } = loss({ weight: 1 });
  Deno.test(`the loss shown is the loss added: ${name}, on 1, 2 and 4 ranks`, async () => {
    const dy = new Float32Array(48 * SIZES.modelDim);
    const tensors = { ...inputs(), dy };
    const found = [];
    for (const ranks of [1, 2, 4]) {
      // a loss of a rank is a mean over its tokens
      const losses = [loss({ weight: 2 / ranks })];
      const config = { tokens: 48 / ranks, gate: topK({ k: 2, scores: "sigmoid" }), losses };
      const at = async (i: number, shift: number) => {
        const weight = Float32Array.from(tensors["gate.weight"]);
        weight[i] += shift;
        return sum((await run(ranks, config, { ...tensors, "gate.weight": weight })).auxLoss);
      };
      const { gradients, auxLoss, losses: shown } = await run(ranks, config, tensors);
      assertAlmostEquals(sum(auxLoss), 2 / ranks * sum(shown[name]), 1e-5);
      // counts of choices have no gradient and stay the same within so small a step
      for (const i of [0, 13, 40]) {
        const slope = (await at(i, 2e-3) - await at(i, -2e-3)) / 4e-3;
        const off = Math.abs(slope - gradients["gate.weight"][i]);
        assert(
          off < 2e-3,
          `weight ${i} on ${ranks} ranks: ${slope}, ${gradients["gate.weight"][i]}`,
        );
      }
      found.push(gradients["gate.weight"]);
    }
    assert(found[0].some((v) => Math.abs(v) > 1e-2));
    // the mean of logits does not depend on micro-batches, counts of choices in each of them do
    if (name === "z") { for (const other of found) assert(largestError(other, found[0]) < 1e-5); }
  });
}

Deno.test("gradients do not depend on the size of expert groups", async () => {
  const losses = [z({ weight: 0.5 })];
  const gate = topK({ k: 2, scores: "sigmoid", scale: 1.5 });
  const found = [];
  for (const expert of [1, 2, 4]) {
    const config = { gate, losses, parallel: { expert }, shared: { hiddenDim: 4 } };
    found.push((await run(4, config, inputs())).gradients);
  }
  for (const other of found) {
    assertEquals(Object.keys(other), Object.keys(found[0]));
    for (const [name, values] of Object.entries(found[0])) {
      assert(largestError(other[name], values) < 1e-5, name);
    }
  }
});

const MODEL: ModelConfig = {
  vocabulary: 11,
  context: 8,
  batch: 4,
  modelDim: 12,
  rate: 0,
  optimizer: sgd(),
  attention: { heads: 4, keyValueHeads: 2, headDim: 4 },
  layers: [1, 2].map(() => ({
    moe: {
      experts: 4,
      hiddenDim: 10,
      gate: topK({ k: 2 }),
      routing: ROUTING,
      losses: [switchBalance({ weight: 0.5 }), z({ weight: 0.25 })],
    },
  })),
};

const text = Int32Array.from({ length: 4 * 9 }, (_, i) => (i * i + 3 * i) % 11);

Deno.test("the gradient norm does not depend on the number of ranks", async () => {
  const norms = [];
  for (const ranks of [1, 2, 4]) {
    using engine = open(ranks);
    const layers = MODEL.layers.map((block) => ({
      moe: { ...(block as { moe: object }).moe, losses: [] },
    })) as unknown as ModelConfig["layers"];
    using model = createModel(engine, { ...MODEL, batch: 4 / ranks, layers }, { seed: 2 });
    norms.push((await model.step(text)).gradNorm!);
  }
  assert(norms[0] > 0.1);
  for (const norm of norms) assertAlmostEquals(norm / norms[0], 1, 1e-5);
});

Deno.test("each layer of a model contributes its losses once: the gradient is that of the loss shown", async () => {
  using engine = open(1);
  using model = createModel(engine, MODEL, { seed: 2 });
  const first = await model.step(text);
  // losses of a model are means over ranks and layers
  const total = sum(first.crossEntropy!) + sum(first.auxLosses!.flat()) / MODEL.layers.length;
  assertAlmostEquals(first.loss!, total, 1e-5);
  for (const block of [0, 1]) {
    const name = `blocks.${block}.moe.gate.weight`;
    const weight = await model.read(name) as Float32Array;
    await model.step(text);
    const gradient = await model.gradient(name);
    const i = gradient.indexOf(Math.max(...gradient));
    const at = async (shift: number) => {
      const moved = Float32Array.from(weight);
      moved[i] += shift;
      model.set({ [name]: moved });
      return (await model.step(text)).loss!;
    };
    const slope = (await at(2e-3) - await at(-2e-3)) / 4e-3;
    model.set({ [name]: weight });
    assert(gradient[i] > 1e-2);
    assert(Math.abs(slope / gradient[i] - 1) < 2e-2, `${name}: ${slope}, ${gradient[i]}`);
  }
});

Deno.test("a single choice keeps its score and its gradient, normalized or not", async () => {
  const runs = [];
  for (const normalize of [true, false]) {
    runs.push(await run(1, { tokens: 48, gate: topK({ k: 1, normalize }) }, inputs()));
  }
  const [one, other] = runs;
  assertEquals(one.output, other.output);
  for (const { gradients } of runs) {
    assert(gradients["gate.weight"].some((v) => Math.abs(v) > 1e-2));
  }
  // in tiles of one, rounding changes no choice of one expert
  const rounded = await run(1, { tokens: 48, gate: tokenRounding({ k: 1, tile: 1 }) }, inputs());
  assert(largestError(rounded.output, one.output) < 1e-6);
  for (const [name, values] of Object.entries(one.gradients)) {
    assert(largestError(rounded.gradients[name], values) < 1e-6, name);
  }
});

Deno.test("an option of a gate that is undefined is one that was left out", async () => {
  for (const gate of [expertChoice, reluRouting, tokenRounding]) {
    const tile = gate === tokenRounding ? { tile: 4 } : {};
    const outputs = [];
    for (const options of [{}, { normalize: undefined }]) {
      const config = { tokens: 48, gate: gate({ ...tile, ...options }) };
      outputs.push((await run(1, config, inputs())).output);
    }
    assertEquals(outputs[0], outputs[1], gate.name);
  }
});

Deno.test("experts without computation take no places, and a token may choose several", async () => {
  const experts = 4;
  // four experts, then four without computation, three of which all tokens like best
  const logits = [
    [2, 0, 0, 0, 5, 5, 5, 1],
    [0, 2, 0, 0, 5, 5, 5, 1],
    [3, 0, 0, 0, 5, 5, 5, 1],
  ];
  const weight = new Float32Array(64);
  for (let e = 0; e < 8; e++) weight[8 * e + e] = 1;
  using engine = open(1);
  using layer = createLayer(engine, {
    tokens: 3,
    modelDim: 8,
    hiddenDim: 2,
    experts,
    routing: ROUTING,
    gate: topK({ k: 4, identities: 4, normalize: false }),
  });
  layer.set({ x: Float32Array.from(logits.flat()), "gate.weight": weight });
  const { loads, configuration } = await layer.forward();
  assertEquals([...loads!], [2, 1, 0, 0, 3, 3, 3, 0]);
  // the largest load of an expert that computes
  assertEquals(configuration.capacity, 2);
});

Deno.test("padding counts in no load and no update, and gets no output and no gradient", async () => {
  const gate = topK({
    k: 2,
    scores: "sigmoid",
    padding: true,
    update: signUpdate({ rate: 1 / 8 }),
  });
  const tensors = inputs();
  const padded = Int32Array.from({ length: 48 }, (_, t) => Number(t % 12 >= 7));
  const shown = await run(4, { gate }, { ...tensors, "gate.padding": padded });
  // the same tokens without the padding
  const kept = (values: Float32Array) =>
    Float32Array.from(
      Array.from({ length: 48 }, (_, t) => t).filter((t) => padded[t] === 0)
        .flatMap((t) => [...values.subarray(t * SIZES.modelDim, (t + 1) * SIZES.modelDim)]),
    );
  const [x, dy] = [kept(tensors.x), kept(tensors.dy)];
  const plain = topK({ k: 2, scores: "sigmoid", update: signUpdate({ rate: 1 / 8 }) });
  const short = await run(4, { gate: plain, tokens: 7 }, { ...tensors, x, dy });
  assertEquals(shown.loads, short.loads);
  assertEquals(sum(shown.loads), 4 * 7 * 2);
  assertEquals(shown.bias, short.bias);
  assert(shown.bias!.some((b) => b !== 0));
  assertEquals(kept(shown.output), short.output);
  assertEquals(sum(shown.output.map((v) => Number(v !== 0))), short.output.length);
  for (const [name, values] of Object.entries(short.gradients)) {
    const got = name === "x" ? kept(shown.gradients.x) : shown.gradients[name];
    assert(largestError(got, values) < 1e-6, name);
  }
  assertEquals(sum(shown.gradients.x.map((v) => Number(v !== 0))), 4 * 7 * SIZES.modelDim);
  const options = { k: 2, padding: true, update: quantileUpdate({ ema: 0.9 }) } as const;
  assertThrows(() => topK(options), SchemoeError, "so that there can be no padding");
});

Deno.test("losses and their gradients do not depend on padding", async () => {
  const tensors = inputs();
  const padded = Int32Array.from({ length: 48 }, (_, t) => Number(t % 12 >= 7));
  const kept = (values: Float32Array, columns: number) =>
    values.filter((_, i) => padded[Math.floor(i / columns)] === 0);
  const noise = Float32Array.from({ length: 48 * 8 }, (_, i) => Math.sin(i * i));
  const noiseWeight = tensors["gate.weight"].map((w, i) => w * Math.cos(i));
  const scores = ["softmax", "sigmoid", "softmaxOfChosen"] as const;
  const cases = [
    ...scores.map((scores) => (padding: boolean) => topK({ k: 2, scores, padding })),
    (padding: boolean) => noisyTopK({ k: 2, padding }),
  ];
  for (const [i, gate] of cases.entries()) {
    const noisy = i === scores.length;
    const losses = noisy
      ? [load({ weight: 0.3 }), importance({ weight: 0.2 }), z({ weight: 0.1 })]
      : [
        ...[gshard({ weight: 0.3 }), switchBalance({ weight: 0.2 }), z({ weight: 0.4 })],
        ...[sequence({ weight: 0.1 }), globalBatch({ weight: 0.5 })],
      ];
    const more: Tensors = noisy ? { "gate.noiseWeight": noiseWeight } : {};
    const shown = await run(4, { gate: gate(true), losses }, {
      ...tensors,
      ...more,
      ...(noisy ? { "gate.noise": noise } : {} as Tensors),
      "gate.padding": padded,
    });
    const short = await run(4, { gate: gate(false), losses, tokens: 7 }, {
      ...tensors,
      ...more,
      ...(noisy ? { "gate.noise": kept(noise, 8) } : {} as Tensors),
      x: kept(tensors.x, SIZES.modelDim),
      dy: kept(tensors.dy, SIZES.modelDim),
    });
    for (const [name, values] of Object.entries(short.losses)) {
      assert(largestError(shown.losses[name], values) < 1e-6, name);
    }
    for (const [name, values] of Object.entries(short.gradients)) {
      const all = shown.gradients[name];
      const got = name === "x" ? kept(all, SIZES.modelDim) : all;
      assert(largestError(got, values) < 2e-6, `${i}: ${name}`);
    }
    const rest = shown.gradients.x.filter((_, j) => padded[Math.floor(j / SIZES.modelDim)] !== 0);
    assert(rest.every((d) => d === 0));
  }
});

Deno.test("losses are 0, and gradients finite, on ranks whose tokens are all padding", async () => {
  const tensors = inputs();
  // ranks 0 and 2 have none, rank 1 one token
  const padded = Int32Array.from({ length: 48 }, (_, t) => Number(t < 23 || (t >= 24 && t < 36)));
  const noise = Float32Array.from({ length: 48 * 8 }, (_, i) => Math.sin(i * i));
  const losses = [
    ...[gshard, switchBalance, globalBatch, sequence, z, importance].map((loss) =>
      loss({ weight: 0.1 })
    ),
    load({ weight: 0.1 }),
  ];
  const found = await run(4, { gate: noisyTopK({ k: 2, padding: true }), losses }, {
    ...tensors,
    "gate.noise": noise,
    "gate.noiseWeight": tensors["gate.weight"].map((w, i) => w * Math.cos(i)),
    "gate.padding": padded,
  });
  for (const [name, values] of Object.entries(found.losses)) {
    assertEquals([values[0], values[2]], [0, 0], name);
    assert(values[1] > 0 && values[3] > 0, `${name} ${values}`);
  }
  for (const [name, values] of Object.entries(found.gradients)) {
    assert(values.every(Number.isFinite), name);
  }
});
