/** Properties of gates and losses that others have broken, and that no reference case shows. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  createLayer,
  type Gate,
  type LayerConfig,
  openEngine,
  SchemoeError,
  topK,
} from "../../mod.ts";
import {
  cosineLogits,
  expertChoice,
  globalBatch,
  hashed,
  type Logits,
  noisyLogits,
  reluRouting,
  replayed,
  type Router,
  type RouterChoice,
  routerOf,
  sequence,
  signUpdate,
  switchBalance,
  tokenRounding,
  z,
} from "../../lib/blocks/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { recordedRouting } from "../../lib/routing/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";

const SIZES = { tokens: 12, modelDim: 6, hiddenDim: 5, experts: 8 };
const ROUTING = { capacityFactor: 0 } as const;
const open = (ranks: number) =>
  openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });

type Tensors = Record<string, Float32Array | Int32Array>;

/** Results of both passes on so many ranks. */
async function run(ranks: number, config: Partial<LayerConfig>, tensors: Tensors = {}) {
  using engine = open(ranks);
  using layer = createLayer(engine, { ...SIZES, routing: ROUTING, ...config });
  layer.set(tensors);
  const forward = await layer.forward({ results: true });
  const { dy: _, ...others } = tensors;
  layer.set(others); // what passes change without a gradient begins anew
  const again = await layer.forward({ results: true });
  const backward = await layer.backward({ results: true });
  const { output, losses, auxLoss, loads } = again;
  assertEquals(forward.output, output);
  const { gradients } = backward;
  return { output: output!, losses: losses!, auxLoss: auxLoss!, loads: loads!, gradients };
}

/** Logits are what the test says: as many columns as experts, the weight of the gate the identity. */
const given = (logits: readonly (readonly number[])[]) => {
  const experts = logits[0].length;
  const weight = new Float32Array(experts * experts);
  for (let e = 0; e < experts; e++) weight[e * experts + e] = 1;
  return {
    config: { tokens: logits.length, modelDim: experts, hiddenDim: 2, experts },
    tensors: { x: Float32Array.from(logits.flat()), "gate.weight": weight },
  };
};

Deno.test("a constant added to all selection biases changes nothing, and biases have no gradient", async () => {
  const gate = topK({ k: 2, scores: "sigmoid", selectionBias: true });
  const bias = Float32Array.from([0.1, -0.2, 0.3, 0, 0.05, -0.1, 0.2, 0]);
  const one = await run(2, { gate }, { "gate.selectionBias": bias });
  const other = await run(2, { gate }, { "gate.selectionBias": bias.map((b) => b + 0.5) });
  assertEquals(one.output, other.output);
  assert(!("gate.selectionBias" in one.gradients!));
  const none = await run(2, { gate });
  assert(largestError(one.output, none.output) > 1e-3, "the bias moves choices");
});

Deno.test("weights are scores without the selection bias", async () => {
  const { config, tensors } = given([[1, 0.9, -1, -2], [0.2, 0.1, 0, -3]]);
  const gate = topK({ k: 4, scores: "sigmoid", selectionBias: true });
  const bias = { "gate.selectionBias": Float32Array.from([3, -3, 1, 2]) };
  const [without, biased] = [
    await run(1, { ...config, gate }, tensors),
    await run(1, { ...config, gate }, { ...tensors, ...bias }),
  ];
  assert(largestError(biased.output, without.output) < 1e-6);
});

Deno.test("equal scores choose the larger logit, then the lower expert", async () => {
  const loads = async (logits: number[][], options: Parameters<typeof topK>[0]) => {
    const { config, tensors } = given(logits);
    return [...(await run(1, { ...config, gate: topK(options) }, tensors)).loads];
  };
  assertEquals(await loads([[1, 1, 1, 1]], { k: 2 }), [1, 1, 0, 0]);
  // both scores are 0 in float32
  for (const scale of [1, 2]) {
    const far = { k: 2, scores: "softmax", scale } as const;
    assertEquals(await loads([[0, -500, -200, -900]], far), [1, 0, 1, 0]);
    assertEquals(await loads([[-300, -200, 0, -200]], far), [0, 1, 1, 0]);
  }
  assertEquals(await loads([[-200, 3, -150, -190]], { k: 2, scores: "sigmoid" }), [0, 1, 1, 0]);
});

Deno.test("NaN is chosen before everything and shows in output and losses", async () => {
  const { config, tensors } = given([[0.5, NaN, 0.7, 0.9], [0.1, 0.2, 0.3, 0.4]]);
  // the product with a weight of zeros makes the whole row NaN
  const gate = topK({ k: 2, scores: "sigmoid" });
  const { output, losses, loads } = await run(
    1,
    { ...config, gate, losses: [switchBalance({ weight: 1 })] },
    tensors,
  );
  assertEquals([...loads], [1, 1, 1, 1]);
  assert(output.subarray(0, 4).every(Number.isNaN) && output.subarray(4).every(Number.isFinite));
  assert(Number.isNaN(losses.switch[0]));
});

Deno.test("no choice is outside the kept groups, also when all scores are equal", async () => {
  const gate = topK({ k: 3, scores: "sigmoid", groups: 4, groupLimit: 2 });
  const equal = given([[1, 1, 1, 1, 1, 1, 1, 1]]);
  assertEquals(
    [...(await run(1, { ...equal.config, gate }, equal.tensors)).loads],
    [1, 1, 1, 0, 0, 0, 0, 0],
  );
  // groups are worth the sums of their two best: 2 and 3 here
  const sums = given([[5, -9, -9, -8, 1, 1, 0, 2]]);
  const { loads } = await run(1, { ...sums.config, gate }, sums.tensors);
  assertEquals([...loads], [0, 0, 0, 0, 1, 1, 0, 1]);
});

Deno.test("losses and gradients do not depend on the number of ranks that hold the tokens", async () => {
  const losses = [globalBatch({ weight: 2 }), z({ weight: 0.5 })];
  const gate = topK({ k: 2 });
  const size = 4 * 12 * SIZES.modelDim;
  const tensors = {
    x: randomNormal(size, { seed: 5 }),
    dy: randomNormal(size, { seed: 6 }),
    "gate.weight": randomNormal(SIZES.experts * SIZES.modelDim, { seed: 7 }),
  };
  const runs = [];
  for (const ranks of [1, 2, 4]) {
    runs.push({
      ranks,
      got: await run(ranks, { tokens: 48 / ranks, gate, losses }, tensors),
    });
  }
  const [{ got: first }] = runs;
  for (const { ranks, got } of runs) {
    assert(largestError(got.output, first.output) < 1e-5);
    // losses are means over a rank's tokens, summed over ranks
    const mean = (values: Float32Array) => values.reduce((a, b) => a + b) / ranks;
    for (const name of ["globalBatch", "z"]) {
      assertAlmostEquals(mean(got.losses[name]), first.losses[name][0], 1e-5);
    }
  }
  const plain = [1, 4].map((ranks) => run(ranks, { tokens: 48 / ranks, gate }, tensors));
  const [alone, spread] = await Promise.all(plain);
  for (const name of ["gate.weight", "experts.w1", "experts.b2", "x"]) {
    assert(largestError(spread.gradients![name], alone.gradients![name]) < 1e-5, name);
  }
});

Deno.test("a sequence's loss does not depend on the sequences beside it", async () => {
  const config = { gate: topK({ k: 2 }), losses: [sequence({ weight: 1 })] };
  const each = SIZES.tokens * SIZES.modelDim;
  const x = randomNormal(2 * each, { seed: 3 });
  const weight = { "gate.weight": randomNormal(SIZES.experts * SIZES.modelDim, { seed: 4 }) };
  const both = await run(2, config, { x, ...weight });
  for (const rank of [0, 1]) {
    const own = x.slice(rank * each, (rank + 1) * each);
    const alone = await run(1, config, { x: own, ...weight });
    assertEquals(both.losses.sequence[rank], alone.losses.sequence[0]);
  }
});

Deno.test("the total is each loss once, times its weight", async () => {
  const losses = [switchBalance({ weight: 3 }), z({ weight: 0.25 }), globalBatch({ weight: 2 })];
  const { auxLoss, losses: found } = await run(2, { gate: topK({ k: 2 }), losses });
  for (const rank of [0, 1]) {
    const sum = 3 * found.switch[rank] + 0.25 * found.z[rank] + 2 * found.globalBatch[rank];
    assertAlmostEquals(auxLoss[rank], sum, 1e-5);
  }
});

Deno.test("the sign update moves each bias by its rate towards the mean load, counted over all ranks", async () => {
  using engine = open(2);
  const gate = topK({ k: 2, scores: "sigmoid", update: signUpdate({ rate: 0.125 }) });
  using layer = createLayer(engine, { ...SIZES, gate, routing: ROUTING });
  const { loads } = await layer.forward();
  const counts = Array.from({ length: 8 }, (_, e) => loads![e] + loads![8 + e]);
  await layer.backward();
  const mean = 2 * SIZES.tokens * 2 / 8;
  const expected = counts.map((count) => 0.125 * Math.sign(mean - count) || 0);
  assertEquals([...layer.get("gate.selectionBias")], expected);
});

Deno.test("experts without computation send nothing and return their input", async () => {
  const { config, tensors } = given([[0, 0, 9, 9], [9, 9, 0, 0]]);
  const gate = topK({ k: 2, identities: 2, normalize: false });
  const weight = new Float32Array(16);
  for (let e = 0; e < 4; e++) weight[4 * e + e] = 1;
  const { output, loads } = await run(
    1,
    { ...config, experts: 2, gate },
    { ...tensors, "gate.weight": weight },
  );
  assertEquals([...loads], [1, 1, 1, 1]);
  const score = Math.exp(9) / (2 * Math.exp(9) + 2);
  for (let i = 0; i < 4; i++) assertAlmostEquals(output[i], 2 * score * tensors.x[i], 1e-5);
});

Deno.test("routerOf() names the token, rank and choice that is no expert", async () => {
  const route = ({ tokens }: { tokens: number }) => {
    const choices = new Int32Array(2 * tokens).fill(-1);
    choices[5] = 8;
    return { choices, weights: new Float32Array(2 * tokens) };
  };
  const grad = ({ tokens, experts }: { tokens: number; experts: number }) =>
    new Float32Array(tokens * experts);
  await assertRejects(
    () => run(1, { gate: routerOf({ name: "mine", k: 2, route, grad }) }),
    SchemoeError,
    "gate mine: choice 1 of token 2 on rank 0 is 8, not an expert (0 to 7) or -1 for none",
  );
});

Deno.test("routerOf() refuses an expert twice, and weights and gradients that are no numbers", async () => {
  const spread = ({ tokens }: { tokens: number }) => ({
    choices: Int32Array.from({ length: 2 * tokens }, (_, i) => i % 8),
    weights: new Float32Array(2 * tokens).fill(-0.5),
  });
  const grad = ({ tokens, experts }: { tokens: number; experts: number }) =>
    new Float32Array(tokens * experts);
  const pass = async (change: Partial<Router>, tensors: Record<string, Float32Array> = {}) => {
    const gate = routerOf({ name: "mine", k: 2, route: spread, grad, ...change });
    await run(1, { gate }, tensors);
  };
  await pass({});
  const fails = (change: Partial<Router>, says: string, tensors?: Record<string, Float32Array>) =>
    assertRejects(() => pass(change, tensors), SchemoeError, `with the gate mine: ${says}`);
  const changed = (edit: (routed: RouterChoice) => void): Partial<Router> => ({
    route: (input) => {
      const routed = spread(input);
      edit(routed);
      return routed;
    },
  });
  await fails(
    changed(({ choices }) => choices[7] = choices[6]),
    "choices 0 and 1 of token 3 on rank 0 are both expert 6; choose it once",
  );
  await pass(changed(({ choices }) => choices.fill(-1, 6, 8)));
  for (const odd of [NaN, Infinity, -Infinity]) {
    await fails(
      changed(({ weights }) => weights[5] = odd),
      `the weight of choice 1, expert 5, of token 2 on rank 0 is ${odd}; weights must be finite`,
    );
    // nobody uses the weight of no expert
    await pass(changed(({ choices, weights }) => {
      choices[5] = -1;
      weights[5] = odd;
    }));
    await fails({
      grad: (input) => {
        const gradient = grad(input);
        gradient[8 * 4 + 3] = odd;
        return gradient;
      },
    }, `grad gives ${odd} for expert 3 of token 4 on rank 0; gradients must be finite`);
  }
  // what comes of tokens that are none is not the router's fault
  const x = new Float32Array(SIZES.tokens * SIZES.modelDim).fill(NaN);
  await pass(changed(({ weights }) => weights.fill(NaN)), { x });
});

Deno.test("hashed() and replayed() refuse a token that goes to an expert twice", async () => {
  using engine = open(1);
  const { tokens } = SIZES;
  using layer = createLayer(engine, {
    ...SIZES,
    gate: hashed({ k: 2, vocabulary: 3 }),
    routing: ROUTING,
  });
  layer.set({ "gate.tokenIds": new Int32Array(tokens).fill(1) });
  await assertRejects(
    () => layer.forward(),
    SchemoeError,
    "row 1 of the table names expert 0 twice; the experts of a token differ",
  );
  layer.set({ "gate.table": Int32Array.of(0, 0, 3, 1, 5, 5) });
  assert((await layer.forward()).makespan > 0);
  const trace = {
    name: "mine",
    ranks: 1,
    experts: 8,
    topK: 2,
    tokens: () => 2,
    choices: () => Int32Array.of(-1, -1, 4, 4),
  };
  assertThrows(
    () => replayed({ trace }),
    SchemoeError,
    'the routing "mine" sends token 1 of rank 0 to expert 4 twice',
  );
  assertThrows(
    () => recordedRouting({ ...trace, choices: trace.choices() }),
    SchemoeError,
    "token 1 (of those of all ranks) chose expert 4 twice",
  );
});

Deno.test("routerOf() of a softmax top-1 in JavaScript is topK(), forward and backward", async () => {
  const own: Gate = routerOf({
    name: "mine",
    k: 1,
    route({ tokens, experts, logits }) {
      const choices = new Int32Array(tokens);
      const weights = new Float32Array(tokens);
      for (let t = 0; t < tokens; t++) {
        const p = softmax(logits.subarray(t * experts, (t + 1) * experts));
        choices[t] = p.indexOf(Math.max(...p));
        weights[t] = p[choices[t]];
      }
      return { choices, weights };
    },
    grad({ tokens, experts, logits, choices, weights, dWeights }) {
      const gradient = new Float32Array(tokens * experts);
      for (let t = 0; t < tokens; t++) {
        const p = softmax(logits.subarray(t * experts, (t + 1) * experts));
        p.forEach((s, e) =>
          gradient[t * experts + e] = dWeights[t] * weights[t] * (Number(e === choices[t]) - s)
        );
      }
      return gradient;
    },
  });
  const [mine, built] = [await run(2, { gate: own }), await run(2, { gate: topK({ k: 1 }) })];
  assert(largestError(mine.output, built.output) < 1e-6);
  for (const [name, values] of Object.entries(built.gradients!)) {
    assert(largestError(mine.gradients![name], values) < 1e-5, name);
  }
});

const softmax = (logits: Float32Array) => {
  const most = Math.max(...logits);
  const powers = [...logits].map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((p) => p / sum);
};

Deno.test("gates and losses that do not fit are errors that say so", async () => {
  using engine = open(1);
  const fails = (config: Partial<LayerConfig>, says: string) =>
    assertThrows(() => createLayer(engine, { ...SIZES, ...config }), SchemoeError, says);
  const router = {
    name: "mine",
    k: 1,
    grad: () => new Float32Array(0),
    route: () => ({ choices: new Int32Array(1), weights: new Float32Array(1) }),
  };
  const mine = routerOf(router);
  fails({ gate: mine, losses: [z({ weight: 1 })] }, "which the loss z needs");
  fails({ gate: "reluRouting", losses: [switchBalance({ weight: 1 })] }, "needs probabilities");
  fails({ gate: topK({ k: 9 }) }, "k 9 of the gate topK is more than the 8 experts");
  fails({ shared: { hiddenDim: 0 } }, "hiddenDim of the shared expert must be a positive integer");
  assertThrows(() => topK({ groups: 2, groupLimit: 3 }), SchemoeError, "is more than 2 groups");
  using layer = createLayer(engine, { ...SIZES, gate: mine, routing: ROUTING });
  await assertRejects(() => layer.forward(), SchemoeError, "choices must be an Int32Array of 12");
  for (
    const [route, says] of [
      [() => undefined, "with the gate mine: route must give { choices, weights }, got undefined"],
      [() => Promise.resolve({}), "route must give { choices, weights }, got a Promise"],
      [() => JSON.parse("no"), 'the gate "mine": its route failed: '],
      [() => ({ choices: [0], weights: [1] }), "choices must be an Int32Array of 12, got [0]"],
    ] as const
  ) {
    const odd = routerOf({ ...router, route: route as unknown as typeof router.route });
    using other = createLayer(engine, { ...SIZES, gate: odd, routing: ROUTING });
    await assertRejects(() => other.forward(), SchemoeError, says);
  }
});

Deno.test("logits are a value of every gate, and named when they are none", () => {
  const logits = "cosine" as unknown as Logits;
  const makers = [topK, expertChoice, reluRouting, tokenRounding] as const;
  for (const make of makers) {
    assertThrows(
      () => make({ logits }),
      SchemoeError,
      "logits must be a value such as linearLogits",
    );
    const names = make({ logits: noisyLogits(cosineLogits({ width: 3, bias: true })) })
      .tensors!({ tokens: 128, modelDim: 4, experts: 2, rows: 2 }).map(({ name }) => name);
    for (const name of ["embedding", "bias", "noiseWeight"]) assert(names.includes(name), name);
  }
  assertThrows(
    () => topK({ logits: noisyLogits(), bias: true }),
    SchemoeError,
    "say whether there is a bias",
  );
});
