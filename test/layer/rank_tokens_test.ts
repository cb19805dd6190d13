import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import {
  createLayer,
  createStack,
  expertChoice,
  openEngine,
  SchemoeError,
  topK,
} from "../../mod.ts";
import {
  cosineTopK,
  globalBatch,
  gshard,
  type LayerConfig,
  noisyTopK,
  quantileUpdate,
  reluRouting,
  replayed,
  signUpdate,
  type UnevenLayerConfig,
} from "../../lib/blocks/mod.ts";
import { BUILT_IN } from "../../lib/layer/built_in.ts";
import { largestError } from "../../lib/studies/golden.ts";
import { spawnWorkers } from "../../lib/workers/mod.ts";

const TOKENS = [5, 0, 7, 3];
const M = 8;
const ALL = TOKENS.reduce((a, b) => a + b);
const x = Float32Array.from({ length: ALL * M }, (_, i) => 2 * Math.sin(1.7 * i));
const dy = Float32Array.from({ length: ALL * M }, (_, i) => Math.cos(0.9 * i));
const sizes = { modelDim: M, hiddenDim: 12, experts: 8 };
const cpu = (nodes = 2, ranksPerNode = 2) =>
  openEngine({ kind: "cpu", nodes, ranksPerNode, links: "plain" });

const gate = topK({ k: 2 });
const dropless = { dropless: true };
const largest = { capacityFactor: 0 };
const placement = { name: "own", experts: 8, slots: [[0, 1, 7], [2, 3, 0], [4, 5], [6, 7]] };
const LAYERS: Record<string, Omit<LayerConfig, "tokens" | keyof typeof sizes>> = {
  padded: { gate, losses: [gshard({ weight: 0.1 })], routing: largest },
  dropless: { gate, routing: dropless },
  "ReLU routing": { gate: reluRouting({ k: 2 }), routing: largest },
  "cosine gate": { gate: cosineTopK({ k: 2, width: 4 }), routing: dropless },
  "weights on the input": { gate: topK({ k: 2, weighs: "input" }), routing: dropless },
  "a gated shared expert and latent rows": {
    gate,
    shared: { hiddenDim: 6, gate: "sigmoid" },
    latentDim: 4,
    routing: dropless,
  },
  "a shared expert and latent rows, padded": {
    gate,
    shared: { hiddenDim: 6 },
    latentDim: 4,
    routing: largest,
  },
  "experts without computation": { gate: topK({ k: 2, identities: 2 }), routing: dropless },
  "copies of experts": { gate, routing: dropless, placement },
  "copies of experts, padded": { gate, routing: largest, placement },
  "expert groups of 2": { gate, routing: dropless, parallel: { expert: 2 } },
  "expert groups of 2 across nodes, padded": {
    gate,
    routing: largest,
    parallel: { expert: 2, layout: "across" },
  },
};

type Engine = ReturnType<typeof cpu>;

async function results(
  engine: Engine,
  config: LayerConfig | UnevenLayerConfig,
  choices: Parameters<ReturnType<typeof createLayer>["forward"]>[0] = {},
  given = { x, dy },
) {
  using layer = createLayer(engine, config);
  const forward = await layer.forward({ ...choices, x: given.x });
  const backward = await layer.backward({ ...choices, dy: given.dy });
  const { x: dx, ...sums } = backward.gradients!;
  return { y: forward.output!, dx, aux: forward.auxLoss!, sums };
}

for (const [name, config] of Object.entries(LAYERS)) {
  Deno.test(`ranks with 5, 0, 7 and 3 tokens give what each gives alone: ${name}`, async () => {
    using engine = cpu();
    const all = await results(engine, { ...sizes, ...config, tokens: TOKENS });
    const sums: Record<string, Float32Array> = {};
    const { placement: _, parallel: _p, ...alone } = config;
    let first = 0;
    for (const [rank, tokens] of TOKENS.entries()) {
      const [begin, end] = [first * M, (first + tokens) * M];
      const part = (values: Float32Array) => values.slice(begin, end);
      first += tokens;
      if (tokens === 0) {
        assertEquals(all.aux[rank], 0);
        continue;
      }
      using one = cpu(1, 1);
      const given = { x: part(x), dy: part(dy) };
      const own = await results(one, { ...sizes, ...alone, tokens }, {}, given);
      assertLess(largestError(part(all.y), own.y), 1e-5, `y of rank ${rank}`);
      assertLess(largestError(part(all.dx), own.dx), 1e-5, `grad.x of rank ${rank}`);
      assertLess(Math.abs(all.aux[rank] - own.aux[0]), 1e-6);
      for (const [tensor, values] of Object.entries(own.sums)) {
        const sum = sums[tensor] ??= new Float32Array(values.length);
        values.forEach((value, i) => sum[i] += value);
      }
    }
    for (const [tensor, values] of Object.entries(sums)) {
      assertLess(largestError(all.sums[tensor], values), 1e-5, tensor);
    }
  });
}

Deno.test("schedulers and all-to-alls do not change a bit where ranks have different numbers of tokens", async () => {
  using engine = cpu();
  for (const config of [LAYERS.dropless, LAYERS.padded, LAYERS["copies of experts"]]) {
    const uneven = { ...sizes, ...config, tokens: TOKENS };
    const whole = await results(engine, uneven, { chunks: 2 });
    const choices = [
      ...BUILT_IN.scheduler.filter((name) => !["exact", "fasterMoE", "sumAnyOrder"].includes(name))
        .map((scheduler) => ({ chunks: 2, scheduler })),
      ...BUILT_IN.allToAll.map((allToAll) => ({ chunks: 2, allToAll })),
    ];
    for (const choice of choices) {
      assertEquals(await results(engine, uneven, choice), whole, JSON.stringify(choice));
    }
    const peers = await results(engine, uneven, { chunks: 2, scheduler: "fasterMoE" });
    assertLess(largestError(peers.y, whole.y), 1e-5);
  }
});

Deno.test("gates that choose by capacity, noise, losses over all ranks and updates take ranks without tokens", async () => {
  using engine = cpu();
  const others: Omit<LayerConfig, "tokens" | keyof typeof sizes>[] = [
    { gate: expertChoice({ k: 2 }) },
    { gate: noisyTopK({ k: 2 }), routing: dropless },
    { gate, losses: [globalBatch({ weight: 0.1 })], routing: { capacityFactor: 1.5 } },
    { gate: topK({ k: 2, update: signUpdate({ rate: 1e-3 }) }), routing: dropless },
    {
      gate: topK({ k: 2, scores: "softmaxOfChosen", update: quantileUpdate({ ema: 0.9 }) }),
      routing: dropless,
    },
  ];
  for (const config of others) {
    const { y, dx, sums } = await results(engine, { ...sizes, ...config, tokens: TOKENS });
    assertEquals([y.length, dx.length], [ALL * M, ALL * M]);
    for (const values of [y, dx, ...Object.values(sums)]) assert(values.every(Number.isFinite));
  }
  const loss = async (tokens: number | number[], nodes: number) => {
    using world = cpu(1, nodes);
    using layer = createLayer(world, {
      ...sizes,
      gate,
      tokens,
      losses: [globalBatch({ weight: 1 })],
      routing: largest,
    } as LayerConfig);
    const { losses } = await layer.forward({ x: x.slice(0, 12 * M) });
    return losses!.globalBatch;
  };
  const [together] = await loss(12, 1);
  // counts of all times mean probabilities of a rank's own tokens: weighted by tokens they add up to the whole
  const [first, none, second, nothing] = await loss([5, 0, 7, 0], 4);
  assertEquals([none, nothing], [0, 0]);
  assertLess(Math.abs((5 * first + 7 * second) / 12 - together), 1e-6);
});

Deno.test("a routing of different numbers of tokens is recorded and replayed", async () => {
  using engine = cpu();
  const config = { ...sizes, tokens: TOKENS, routing: dropless };
  using layer = createLayer(engine, { ...config, gate });
  const run = await layer.forward({ x });
  const trace = run.routing!;
  assertEquals([0, 1, 2, 3].map((rank) => trace.tokens(rank)), TOKENS);
  using again = createLayer(engine, { ...config, gate: replayed({ trace, normalize: true }) });
  assertLess(largestError((await again.forward({ x })).output!, run.output!), 1e-6);
});

Deno.test("different numbers of tokens in a stack, in the simulator and on two processes", async () => {
  const uneven = { ...sizes, gate, tokens: TOKENS };
  using engine = cpu();
  using stack = createStack(engine, { layers: 2, layer: uneven });
  const { output } = await stack.forward({ chunks: 1, scheduler: "optSche" });
  const { gradients } = await stack.backward({ chunks: 1, scheduler: "optSche" });
  assertEquals([output!.length, gradients!.x.length], [ALL * M, ALL * M]);
  assert(Object.values(gradients!).every((values) => values.every(Number.isFinite)));
  using simulator = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  for (const routing of [dropless, {}]) {
    const layer = createLayer(simulator, { ...uneven, routing });
    const forward = await layer.forward();
    assert(forward.makespan >= forward.bound!);
    await layer.backward();
  }
  await using workers = await spawnWorkers(1);
  const shape = { nodes: 2, ranksPerNode: 2, links: "plain" } as const;
  using two = await workers.openEngine(shape);
  for (const config of [LAYERS.dropless, LAYERS["copies of experts, padded"]]) {
    const given = { ...sizes, ...config, tokens: TOKENS };
    assertEquals(await results(two, given), await results(engine, given));
  }
});

Deno.test("createLayer() names what is wrong with tokens of ranks", () => {
  using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
  const fails = (tokens: unknown, part: string) =>
    assertThrows(
      () => createLayer(engine, { ...sizes, tokens: tokens as number }),
      SchemoeError,
      part,
    );
  fails(0, "tokens must be a positive integer, got 0");
  fails([1, 2], "tokens are those of 2 ranks, there are 4");
  fails([1, 2, -1, 0], "tokens of rank 2 must be an integer of at least 0, got -1");
  fails([0, 0, 0, 0], "no rank has a token");
  const even = createLayer(engine, { ...sizes, tokens: [3, 3, 3, 3] });
  assertEquals(even.layer.tokens, 3);
});
