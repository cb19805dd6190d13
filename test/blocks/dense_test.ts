/** Gates and experts that no reference case has, against plain loops in float64. */
import {
  cosineTopK,
  geglu,
  type LayerConfig,
  reluRouting,
  tokenRounding,
  topK,
} from "../../lib/blocks/mod.ts";
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

const [TOKENS, MODEL, HIDDEN, EXPERTS] = [7, 6, 5, 4];
const CONFIG = {
  tokens: TOKENS,
  modelDim: MODEL,
  hiddenDim: HIDDEN,
  experts: EXPERTS,
  routing: { capacityFactor: 0 },
} as const satisfies Partial<LayerConfig>;

/** erf by its power series, which converges for the arguments here. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 80; n++) {
    term *= -x * x / n;
    sum += term / (2 * n + 1);
  }
  return 2 / Math.sqrt(Math.PI) * sum;
}

const gelu = (v: number) => 0.5 * v * (1 + erf(v / Math.SQRT2));

/** Sum over experts of weight times expert, for each token. */
const mixture = (
  weigh: (x: Float64Array, t: Tensors) => readonly number[],
  expert: (x: Float64Array, e: number, t: Tensors) => Float64Array,
): Dense =>
(t) => {
  const y = new Float64Array(t.x.length);
  for (let token = 0; token < t.x.length / MODEL; token++) {
    const x = row(t.x, token, MODEL);
    const out = row(y, token, MODEL);
    for (const [e, weight] of weigh(x, t).entries()) {
      if (weight !== 0) expert(x, e, t).forEach((v, j) => out[j] += weight * v);
    }
  }
  return y;
};

const logits = (x: Float64Array, t: Tensors): number[] =>
  Array.from({ length: EXPERTS }, (_, e) => dot(x, row(t["gate.weight"], e, MODEL)));

/** Softmax of the k best, the others 0. */
function softmaxOfBest(z: readonly number[], k: number): number[] {
  const chosen = best(z, k);
  const shares = softmax(chosen.map((e) => z[e]));
  return z.map((_, e) => chosen.includes(e) ? shares[chosen.indexOf(e)] : 0);
}

const ffnExpert = (x: Float64Array, e: number, t: Tensors): Float64Array => {
  const size = MODEL * HIDDEN;
  const h = times(x, row(t["experts.w1"], e, size), HIDDEN)
    .map((v, i) => Math.max(0, v + t["experts.b1"][e * HIDDEN + i]));
  return times(h, row(t["experts.w2"], e, size), MODEL)
    .map((v, i) => v + t["experts.b2"][e * MODEL + i]);
};

Deno.test("cosineTopK() is a softmax of cosines over the temperature", async () => {
  const width = 3;
  const norm = (v: Float64Array) => Math.sqrt(dot(v, v));
  const cosines = (x: Float64Array, t: Tensors) => {
    const a = times(x, t["gate.projection"], width);
    return Array.from({ length: EXPERTS }, (_, e) => {
      const v = row(t["gate.embedding"], e, width);
      return dot(a, v) / norm(a) / norm(v) / t["gate.temperature"][0];
    });
  };
  // of the two best, divided by their sum: the softmax of these two
  const dense = mixture((x, t) => softmaxOfBest(cosines(x, t), 2), ffnExpert);
  await compareWithDense({ ...CONFIG, gate: cosineTopK({ k: 2, width }) }, dense);
});

Deno.test("reluRouting() weighs with what is above 0, undivided or divided by the sum", async () => {
  for (const normalize of [false, true]) {
    const weigh = (x: Float64Array, t: Tensors) => {
      const kept = logits(x, t).map((z) => Math.max(0, z));
      const sum = normalize ? kept.reduce((a, b) => a + b) + 1e-20 : 1;
      return kept.map((z) => 1.5 * z / sum);
    };
    const gate = reluRouting({ k: 2, normalize, scale: 1.5 });
    await compareWithDense({ ...CONFIG, gate }, mixture(weigh, ffnExpert));
  }
});

Deno.test("tokenRounding() divides the scores of the rounded choice by their sum", async () => {
  const tile = 3;
  const dense: Dense = (t) => {
    const y = new Float64Array(t.x.length);
    const ranks = t.x.length / MODEL / TOKENS;
    for (let rank = 0; rank < ranks; rank++) {
      const tokens = Array.from({ length: TOKENS }, (_, i) => row(t.x, rank * TOKENS + i, MODEL));
      const scores = tokens.map((x) => softmax(logits(x, t)));
      const kept = scores.map(() => new Set<number>());
      for (let e = 0; e < EXPERTS; e++) {
        const mine = scores.map((s) => s[e] + (best(s, 2).includes(e) ? 1 : 0));
        const count = mine.filter((value) => value >= 1).length;
        const rounded = Math.min(Math.floor(TOKENS / tile), Math.round(count / tile)) * tile;
        for (const token of best(mine, rounded)) kept[token].add(e);
      }
      for (const [i, x] of tokens.entries()) {
        const sum = [...kept[i]].reduce((total, e) => total + scores[i][e], 0);
        const out = row(y, rank * TOKENS + i, MODEL);
        for (const e of kept[i]) {
          ffnExpert(x, e, t).forEach((v, j) => out[j] += scores[i][e] / sum * v);
        }
      }
    }
    return y;
  };
  for (const routing of [{ capacityFactor: 0 }, { dropless: true }]) {
    await compareWithDense({ ...CONFIG, routing, gate: tokenRounding({ k: 2, tile }) }, dense);
  }
});

Deno.test("geglu() gates with the exact GELU", async () => {
  const expert = (x: Float64Array, e: number, t: Tensors) => {
    const [w1, w3, w2] = ["w1", "w3", "w2"].map((name) => t[`experts.${name}`]);
    return gatedExpert(x, { w1, w3, w2, e, hidden: HIDDEN, act: gelu });
  };
  const dense = mixture((x, t) => softmaxOfBest(logits(x, t), 2), expert);
  await compareWithDense({ ...CONFIG, gate: topK({ k: 2 }), expert: geglu() }, dense);
});

for (const gate of ["none", "sigmoid"] as const) {
  Deno.test(`a shared expert with the gate ${gate} adds to the others`, async () => {
    const width = 4;
    const routed = mixture((x, t) => softmaxOfBest(logits(x, t), 2), ffnExpert);
    const dense: Dense = (t) => {
      const y = routed(t);
      for (let token = 0; token < y.length / MODEL; token++) {
        const x = row(t.x, token, MODEL);
        const [w1, w3, w2] = ["w1", "w3", "w2"].map((name) => t[`shared.${name}`]);
        const q = gate === "sigmoid" ? sigmoid(dot(x, t["shared.gate"])) : 1;
        gatedExpert(x, { w1, w3, w2, e: 0, hidden: width, act: silu })
          .forEach((v, j) => y[token * MODEL + j] += q * v);
      }
      return y;
    };
    await compareWithDense({
      ...CONFIG,
      gate: topK({ k: 2 }),
      shared: { hiddenDim: width, gate },
    }, dense);
  });
}
