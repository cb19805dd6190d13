import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  fasterMoeChoice,
  flowMoeSearch,
  fsMoeChoice,
  pipeMoeChoice,
  stepSeconds,
  tutelSearch,
} from "../../lib/adaptive/mod.ts";
import { nextSample } from "../../lib/adaptive/baselines/bayesian.ts";
import { topK } from "../../lib/blocks/mod.ts";
import { loadsOf, zipfRouting } from "../../lib/routing/mod.ts";
import { openEngine } from "../../lib/engines/mod.ts";
import { createLayer, createStack } from "../../lib/layer/mod.ts";
import { topology } from "../../lib/topology.ts";
import { SchemoeError } from "../../lib/types.ts";

const world = topology({ nodes: 2, ranksPerNode: 2, processor: { flopRate: 2e9, byteRate: 1e9 } });
const config = { tokens: 256, modelDim: 64, hiddenDim: 128, experts: 8, gate: topK({ k: 2 }) };
const layerOn = (kind: "simulate") => createLayer(openEngine({ kind, topology: world }), config);

Deno.test("tutelSearch() ends at the best of its eight configurations, in at most eight steps", async () => {
  const layer = layerOn("simulate");
  const { forward, backward, trials } = await tutelSearch(layer);
  let best = Infinity;
  for (const allToAll of ["linear", "hierarchical2d"]) {
    for (const chunks of [1, 2, 4, 8]) {
      const choices = { scheduler: "tutel", allToAll, chunks };
      best = Math.min(best, await stepSeconds(layer, { forward: choices, backward: choices }));
    }
  }
  assertEquals(await stepSeconds(layer, { forward, backward }), best);
  assert(trials.length <= 8 && trials.length >= 4, `${trials.length}`);
});

Deno.test("pipeMoeChoice() and fsMoeChoice() find a degree near the best of their orders", async () => {
  const layer = layerOn("simulate");
  for (const baseline of [await pipeMoeChoice(layer), await fsMoeChoice(layer)]) {
    const found = await stepSeconds(layer, baseline);
    let best = Infinity;
    for (const chunks of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const choices = { ...baseline.forward, chunks };
      best = Math.min(best, await stepSeconds(layer, { forward: choices, backward: choices }));
    }
    assert(found <= 1.15 * best, `${baseline.name}: ${found} of ${best}`);
    assert(baseline.forward.chunks as number > 1, `${baseline.name} pipelines nothing`);
  }
});

Deno.test("pipeMoeChoice() and fsMoeChoice() leave whole what has one place an expert", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const small = { ...config, tokens: 4, gate: topK({ k: 1 }), routing: { capacityFactor: 1 } };
  const layer = createLayer(engine, small);
  for (const { forward, backward } of [await pipeMoeChoice(layer), await fsMoeChoice(layer)]) {
    assertEquals([forward.chunks, backward.chunks], [1, 1]);
    await layer.forward(forward);
    await layer.backward(backward);
  }
});

Deno.test("fasterMoeChoice() takes a layer as the other baselines do", () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const layer = createLayer(engine, { ...config, routing: { dropless: true } });
  const loads = loadsOf(zipfRouting({ ranks: 4, tokens: 256, experts: 8, exponent: 1.2 }));
  assertEquals(fasterMoeChoice(layer, loads), fasterMoeChoice(layer.layer, loads));
});

Deno.test("flowMoeSearch() takes chunks that it is told, searches several with the pieces, and no more than there are places", async () => {
  const engine = openEngine({ kind: "simulate", topology: world });
  const stack = { layer: config, layers: 2, attention: { flops: 5e7, parameters: 1e5 } };
  const four = await flowMoeSearch(engine, stack, { chunks: 4, samples: 3 });
  assertEquals([four.choices.chunks, ...four.trials.map(({ chunks }) => chunks)], [4, 4, 4, 4]);
  const both = await flowMoeSearch(engine, stack, { chunks: [1, 2, 8], samples: 12 });
  assert(new Set(both.trials.map(({ chunks }) => chunks)).size > 1);
  const best = both.trials.reduce((a, b) => b.seconds < a.seconds ? b : a);
  assertEquals([both.choices.chunks, both.gradientChunks], [best.chunks, best.gradientChunks]);
  const two = await flowMoeSearch(engine, stack, { samples: 12 });
  const least = (trials: typeof two.trials) => Math.min(...trials.map(({ seconds }) => seconds));
  assert(least(both.trials) <= 1.02 * least(two.trials), "chunks were searched in vain");
  const small = { ...config, tokens: 4, gate: topK({ k: 1 }), routing: { capacityFactor: 1 } };
  const one = await flowMoeSearch(engine, { ...stack, layer: small }, { samples: 2 });
  assertEquals(one.choices.chunks, 1);
  const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ chunks: 0 }, "chunks has 0, not an integer from 1 on"],
    [{ chunks: [] }, "chunks is an empty list"],
    [{ chunk: 2 }, 'did you mean "chunks"'],
    [{ chunks: 1000 }, "1000"],
  ];
  for (const [options, text] of wrong) {
    await assertRejects(() => flowMoeSearch(engine, stack, options as never), SchemoeError, text);
  }
});

Deno.test("flowMoeSearch() says what it needs", async () => {
  using engine = openEngine({ kind: "simulate", topology: world });
  const stack = { layer: config, layers: 2, attention: { flops: 1e6, parameters: 1e4 } };
  await assertRejects(
    () => flowMoeSearch(engine, stack, { samples: 0 }),
    SchemoeError,
    "samples is 0, not an integer from 1 on",
  );
  await assertRejects(
    () => flowMoeSearch(createLayer(engine, config) as never, undefined as never),
    SchemoeError,
    "give an engine and the sizes of a stack",
  );
});

Deno.test("nextSample() finds the least of a curve in eight samples", () => {
  const candidates = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((x) => [x]);
  for (const least of [1, 4, 7, 10]) {
    const tried: { x: readonly number[]; y: number }[] = [];
    for (let i = 0; i < 8; i++) {
      const x = candidates[nextSample(candidates, tried)];
      assert(!tried.some((one) => one.x === x), "a value was tried twice");
      tried.push({ x, y: (x[0] - least) ** 2 });
    }
    assertEquals(Math.min(...tried.map(({ y }) => y)), 0, `${tried.map(({ x }) => x)}`);
  }
  // of two numbers, in a third of all pairs
  const pairs = [0, 1, 2, 3, 4, 5].flatMap((a) => [0, 1, 2, 3].map((b) => [a, b]));
  const tried: { x: readonly number[]; y: number }[] = [];
  for (let i = 0; i < 8; i++) {
    const x = pairs[nextSample(pairs, tried)];
    tried.push({ x, y: (x[0] - 3) ** 2 + 4 * (x[1] - 1) ** 2 });
  }
  assertEquals(new Set(tried.map(({ x }) => `${x}`)).size, 8);
  assert(Math.min(...tried.map(({ y }) => y)) <= 1, JSON.stringify(tried));
});

Deno.test("flowMoeSearch() takes eight steps, and pieces that beat a whole reduction", async () => {
  const engine = openEngine({ kind: "simulate", topology: world });
  const stack = { layer: config, layers: 3, attention: { flops: 5e7, parameters: 1e5 } };
  const { trials, gradientChunks, choices } = await flowMoeSearch(engine, stack);
  assertEquals(new Set(trials.map((one) => one.gradientChunks)).size, 8);
  const whole = createStack(engine, stack);
  const cut = createStack(engine, { ...stack, gradientChunks });
  await whole.forward(choices);
  await cut.forward(choices);
  const [one, many] = [await whole.backward(choices), await cut.backward(choices)];
  assert(many.makespan <= one.makespan, `${gradientChunks}: ${many.makespan} of ${one.makespan}`);
  await assertRejects(
    () => flowMoeSearch(engine, { layer: config, layers: 2 }),
    SchemoeError,
    "the stack has no attention",
  );
});
