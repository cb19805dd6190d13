/** A router of one's own, with all that a built-in gate has: logits, losses, a selection bias that moves. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createLayer, createModel, openEngine, SchemoeError } from "../../mod.ts";
import * as blocks from "../../lib/blocks/mod.ts";
import type { Gate, GateUpdate, Logits, Loss } from "../../lib/blocks/mod.ts";
import type { GateScores } from "../../lib/kernels/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";

const message = (act: () => unknown) => assertThrows(act, SchemoeError).message;
const { cosineLogits, linearLogits, noisyLogits, routerOf, signUpdate, topK } = blocks;
const K = 2;

/** Scores of a token and their derivatives [of, by]. */
function scoresOf(scores: GateScores, z: readonly number[]) {
  if (scores === "sigmoid") {
    const s = z.map((v) => 1 / (1 + Math.exp(-v)));
    return { s, d: (i: number, j: number) => i === j ? s[i] * (1 - s[i]) : 0 };
  }
  const powers = z.map((v) => Math.exp(v - Math.max(...z)));
  const sum = powers.reduce((a, b) => a + b);
  const s = powers.map((p) => p / sum);
  return { s, d: (i: number, j: number) => s[i] * ((i === j ? 1 : 0) - s[j]) };
}

/** The gate of `topK` in JavaScript, without normalisation. */
function ownTopK(
  scores: GateScores,
  more: { readonly logits?: Logits; readonly update?: GateUpdate } = {},
): Gate {
  const rowsOf = (logits: Float32Array, experts: number) =>
    Array.from(
      { length: logits.length / experts },
      (_, t) => [...logits.subarray(t * experts, (t + 1) * experts)],
    );
  return routerOf({
    name: "top k of one's own",
    k: K,
    scores,
    ...more,
    route({ experts, logits, selectionBias }) {
      const choices: number[] = [];
      const weights: number[] = [];
      for (const z of rowsOf(logits, experts)) {
        const { s } = scoresOf(scores, z);
        const by = s.map((v, e) => v + (selectionBias?.[e] ?? 0));
        const best = [...by.keys()].sort((a, b) => by[b] - by[a]).slice(0, K);
        choices.push(...best);
        weights.push(...best.map((e) => s[e]));
      }
      return { choices: Int32Array.from(choices), weights: Float32Array.from(weights) };
    },
    grad({ experts, logits, choices, dWeights }) {
      return Float32Array.from(
        rowsOf(logits, experts).flatMap((z, t) => {
          const { d } = scoresOf(scores, z);
          return z.map((_, j) =>
            Array.from({ length: K }, (_, i) => K * t + i)
              .reduce((sum, i) => sum + dWeights[i] * d(choices[i], j), 0)
          );
        }),
      );
    },
  });
}

const SIZES = { modelDim: 8, hiddenDim: 12, experts: 8, tokens: [9, 0, 14, 5] };
const weight = 0.3;
const LOSSES: Record<string, readonly Loss[]> = {
  none: [],
  balance: [blocks.switchBalance({ weight })],
  "first choices": [blocks.gshard({ weight })],
  sequence: [blocks.sequence({ weight })],
  "all ranks": [blocks.globalBatch({ weight })],
  importance: [blocks.importance({ weight })],
  z: [blocks.z({ weight })],
  several: [
    blocks.z({ weight }),
    blocks.importance({ weight: 0.2 }),
    blocks.switchBalance({ weight: 0.1 }),
    blocks.orthogonal({ weight: 0.05 }),
  ],
};

async function passes(gate: Gate, losses: readonly Loss[], dropless: boolean) {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  const routing = dropless ? { dropless } : { capacityFactor: 0 };
  using layer = createLayer(engine, { ...SIZES, gate, losses, routing }, { seed: 3 });
  const size = 28 * SIZES.modelDim;
  const [x, dy] = [randomNormal(size, { seed: 4 }), randomNormal(size, { seed: 5 })];
  const bias = [];
  for (let i = 0; i < 2; i++) {
    await layer.forward({ x, results: true });
    await layer.backward({ dy, results: true });
    if (gate.update) bias.push(...layer.get("gate.selectionBias") as Float32Array);
  }
  const forward = await layer.forward({ x, chunks: 2, results: true });
  const { gradients } = await layer.backward({ dy, chunks: 2, results: true });
  return { output: forward.output!, losses: forward.losses!, gradients: gradients!, bias };
}

async function agrees(own: Gate, built: Gate, losses: readonly Loss[], what: string) {
  for (const dropless of [false, true]) {
    const [a, b] = [await passes(own, losses, dropless), await passes(built, losses, dropless)];
    assertEquals(Object.keys(a.gradients), Object.keys(b.gradients), what);
    assert(largestError(a.output, b.output) < 1e-6, `${what}: output`);
    for (const [name, of] of Object.entries(b.losses)) {
      assert(largestError(a.losses[name], of) < 1e-6, `${what}: the loss ${name}`);
    }
    for (const [name, of] of Object.entries(b.gradients)) {
      const error = largestError(a.gradients[name], of);
      assert(error < 1e-5, `${what}: the gradient of ${name} differs by ${error}`);
    }
    assertEquals(a.bias, b.bias, what);
  }
}

for (const scores of ["softmax", "sigmoid"] as const) {
  Deno.test(`routerOf() with scores ${scores} has the losses of topK, and their gradients`, async () => {
    for (const [what, losses] of Object.entries(LOSSES)) {
      await agrees(ownTopK(scores), topK({ k: K, scores, normalize: false }), losses, what);
    }
  });
}

Deno.test("routerOf() takes logits of any kind, with the losses that need their tensors", async () => {
  const kinds: Record<string, Logits> = {
    bias: linearLogits({ bias: true }),
    cosine: cosineLogits({ width: 4 }),
    noisy: noisyLogits(),
  };
  for (const [what, logits] of Object.entries(kinds)) {
    const built = topK({ k: K, normalize: false, logits });
    const noise = what === "noisy" ? [blocks.load({ weight })] : [];
    const losses = [...noise, blocks.importance({ weight })];
    await agrees(ownTopK("softmax", { logits }), built, losses, what);
  }
});

Deno.test("routerOf() with an update gives route the selection bias that it moves", async () => {
  const update = signUpdate({ rate: 0.05 });
  const built = topK({ k: K, scores: "sigmoid", normalize: false, update });
  await agrees(ownTopK("sigmoid", { update }), built, [blocks.switchBalance({ weight })], "update");
});

Deno.test("a model trains with a router of one's own as with the built-in one", async () => {
  const update = signUpdate({ rate: 0.05 });
  const losses = [blocks.switchBalance({ weight: 0.1 }), blocks.z({ weight: 0.1 })];
  const train = async (gate: Gate, dropless: boolean) => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
    const routing = dropless ? { dropless } : { capacityFactor: 0 };
    using model = createModel(engine, {
      ...{ vocabulary: 16, context: 8, batch: 2, modelDim: 8, attention: { heads: 2 } },
      layers: [{ moe: { experts: 4, hiddenDim: 8, gate, losses, routing } }],
    });
    const tokens = Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => (i * i) % 16);
    const found: number[] = [];
    for (let step = 0; step < 4; step++) found.push((await model.step(tokens)).loss!);
    return Float32Array.from(found);
  };
  for (const dropless of [false, true]) {
    const own = await train(ownTopK("sigmoid", { update }), dropless);
    const built = await train(
      topK({ k: K, scores: "sigmoid", normalize: false, update }),
      dropless,
    );
    assert(built[3] < built[0]);
    assert(largestError(own, built) < 1e-5, `${own}, not ${built}`);
  }
});

Deno.test("routerOf() refuses logits, scores and updates that are none, and a loss says what it lacks", () => {
  const router = {
    name: "mine",
    k: 1,
    route: () => ({ choices: new Int32Array(0), weights: new Float32Array(0) }),
    grad: () => new Float32Array(0),
  };
  const told = (more: object) => message(() => routerOf({ ...router, ...more }));
  assertStringIncludes(told({ logits: linearLogits }), "logits must be a value such as");
  assertStringIncludes(told({ scores: "softmx" }), "softmax");
  assertStringIncludes(told({ update: signUpdate }), "update must be a value such as signUpdate");
  using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
  const losses = [blocks.z({ weight })];
  const made = () => createLayer(engine, { ...SIZES, tokens: 4, gate: routerOf(router), losses });
  assertStringIncludes(message(made), 'scores: "softmax"');
});
