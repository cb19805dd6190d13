/** Rows of another width than tokens on their way and in the experts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLayer, createModel, openEngine, SchemoeError, topK } from "../../mod.ts";
import { type LayerConfig, sgd } from "../../lib/blocks/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import {
  best,
  compareWithDense,
  type Dense,
  dot,
  gatedExpert,
  row,
  sigmoid,
  silu,
  softmax,
  type Tensors,
  times,
} from "./dense.ts";

const [TOKENS, MODEL, LATENT, HIDDEN, EXPERTS] = [7, 6, 4, 5, 4];
const CONFIG = {
  tokens: TOKENS,
  modelDim: MODEL,
  hiddenDim: HIDDEN,
  experts: EXPERTS,
  latentDim: LATENT,
} as const satisfies Partial<LayerConfig>;

const logits = (x: Float64Array, t: Tensors, rows = EXPERTS): number[] =>
  Array.from({ length: rows }, (_, e) => dot(x, row(t["gate.weight"], e, MODEL)));

const ffnExpert = (x: Float64Array, e: number, t: Tensors): Float64Array => {
  const size = LATENT * HIDDEN;
  const h = times(x, row(t["experts.w1"], e, size), HIDDEN)
    .map((v, i) => Math.max(0, v + t["experts.b1"][e * HIDDEN + i]));
  return times(h, row(t["experts.w2"], e, size), LATENT)
    .map((v, i) => v + t["experts.b2"][e * LATENT + i]);
};

/** Each token: what `of` gives for its latent values and weights, projected up, and what is added. */
const latent = (
  of: (z: Float64Array, x: Float64Array, t: Tensors) => Float64Array,
  add: (x: Float64Array, t: Tensors) => ArrayLike<number> = () => new Float64Array(MODEL),
): Dense =>
(t) => {
  const y = new Float64Array(t.x.length);
  for (let token = 0; token < t.x.length / MODEL; token++) {
    const x = row(t.x, token, MODEL);
    const up = times(of(times(x, t["latent.down"], LATENT), x, t), t["latent.up"], MODEL);
    const more = add(x, t);
    for (let j = 0; j < MODEL; j++) y[token * MODEL + j] = up[j] + more[j];
  }
  return y;
};

/** Sum of weighted experts, weights the softmax of the two best. */
const mixed = (z: Float64Array, x: Float64Array, t: Tensors): Float64Array => {
  const all = logits(x, t);
  const chosen = best(all, 2);
  const shares = softmax(chosen.map((e) => all[e]));
  const out = new Float64Array(LATENT);
  chosen.forEach((e, i) => ffnExpert(z, e, t).forEach((v, j) => out[j] += shares[i] * v));
  return out;
};

const gate = topK({ k: 2 });

for (const routing of [{ capacityFactor: 0 }, { dropless: true }]) {
  const kind = "dropless" in routing ? "dropless" : "padded";
  Deno.test(`latentDim projects around dispatch, ${kind}`, async () => {
    await compareWithDense({ ...CONFIG, routing, gate }, latent(mixed));
  });
}

for (const shared of ["none", "sigmoid"] as const) {
  Deno.test(`latentDim leaves a shared expert with the gate ${shared} whole tokens`, async () => {
    const width = 3;
    const own = (x: Float64Array, t: Tensors) => {
      const [w1, w3, w2] = ["w1", "w3", "w2"].map((name) => t[`shared.${name}`]);
      const q = shared === "sigmoid" ? sigmoid(dot(x, t["shared.gate"])) : 1;
      return gatedExpert(x, { w1, w3, w2, e: 0, hidden: width, act: silu }).map((v) => q * v);
    };
    const config = { ...CONFIG, routing: { dropless: true }, gate };
    await compareWithDense(
      { ...config, shared: { hiddenDim: width, gate: shared } },
      latent(mixed, own),
    );
  });
}

Deno.test("latentDim with weights on the input, and with experts without computation", async () => {
  const weighed = (z: Float64Array, x: Float64Array, t: Tensors) => {
    const all = logits(x, t);
    const [e] = best(all, 1);
    return ffnExpert(z.map((v) => sigmoid(all[e]) * v), e, t);
  };
  const routing = { capacityFactor: 0 };
  const input = topK({ k: 1, scores: "sigmoid", weighs: "input" });
  await compareWithDense({ ...CONFIG, routing, gate: input }, latent(weighed));
  const scores = (x: Float64Array, t: Tensors) => logits(x, t, EXPERTS + 2).map(sigmoid);
  const some = (z: Float64Array, x: Float64Array, t: Tensors) => {
    const s = scores(x, t);
    const out = new Float64Array(LATENT);
    for (const e of best(s, 3).filter((row) => row < EXPERTS)) {
      ffnExpert(z, e, t).forEach((v, j) => out[j] += s[e] * v);
    }
    return out;
  };
  // the others give the token itself, not its projection
  const itself = (x: Float64Array, t: Tensors) => {
    const s = scores(x, t);
    const sum = best(s, 3).filter((row) => row >= EXPERTS).reduce((total, e) => total + s[e], 0);
    return x.map((v) => sum * v);
  };
  const identities = topK({ k: 3, scores: "sigmoid", normalize: false, identities: 2 });
  await compareWithDense({ ...CONFIG, routing, gate: identities }, latent(some, itself));
});

Deno.test("latentDim: schedules and all-to-alls change no bit, and rows are as narrow as that", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
  const config = { ...CONFIG, tokens: 16, modelDim: 32, latentDim: 8, gate };
  const size = 4 * 16 * 32;
  const [x, dy] = [randomNormal(size, { seed: 4 }), randomNormal(size, { seed: 5 })];
  const results = [];
  for (
    const [scheduler, allToAll] of [["sequential", "linear"], ["optSche", "pipe"], [
      "tutel",
      "hierarchical2d",
    ]]
  ) {
    using layer = createLayer(engine, config, { seed: 3 });
    const choices = { scheduler, allToAll, chunks: 2, results: true } as const;
    const forward = await layer.forward({ x, ...choices });
    const { gradients } = await layer.backward({ dy, ...choices });
    results.push({ output: forward.output!, ...gradients });
  }
  for (const other of results) assertEquals(other, results[0]);
  const moved = async (latentDim?: number) => {
    using layer = createLayer(engine, { ...config, latentDim });
    const run = await layer.forward({ chunks: 2, allToAll: "linear", results: false });
    const { tasks } = run.ran.at(-1)!.program.graph;
    return tasks.filter(({ kind }) => kind === "allToAll").reduce(
      (sum, { bytes }) => sum + bytes,
      0,
    );
  };
  assertEquals(await moved(8), await moved() / 4);
  const wrong = { ...config, latentDim: 0 };
  assertThrows(
    () => createLayer(engine, wrong),
    SchemoeError,
    "latentDim must be a positive integer",
  );
});

Deno.test("latentDim trains in a model", async () => {
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2, links: "plain" });
  using model = createModel(engine, {
    vocabulary: 11,
    context: 8,
    batch: 2,
    modelDim: 12,
    rate: 0.1,
    optimizer: sgd(),
    attention: { heads: 4, keyValueHeads: 2, headDim: 4 },
    layers: [{
      moe: { experts: 4, hiddenDim: 10, latentDim: 6, gate, routing: { capacityFactor: 0 } },
    }],
  });
  const before = await model.read("blocks.0.moe.latent.up") as Float32Array;
  const tokens = Int32Array.from({ length: 2 * 2 * 9 }, (_, i) => i % 11);
  const losses = [];
  for (let step = 0; step < 30; step++) losses.push((await model.step(tokens)).loss!);
  assert(losses.at(-1)! < losses[0] - 0.5, losses.join(" "));
  const after = await model.read("blocks.0.moe.latent.up") as Float32Array;
  assert(before.some((v, i) => v !== after[i]));
});
