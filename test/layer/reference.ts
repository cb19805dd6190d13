/**
 * A Mixture-of-Experts layer in float64, token by token and without any distribution: written from the
 * definition, sharing nothing with the engines.
 */

export interface ReferenceConfig {
  readonly ranks: number;
  readonly tokens: number;
  readonly modelDim: number;
  readonly hiddenDim: number;
  readonly experts: number;
  readonly topK: number;
  readonly capacityFactor: number;
  readonly capacityAlignment: number;
  readonly normalizeGate: boolean;
  readonly batchPrioritized: boolean;
  readonly prescore: boolean;
  readonly auxWeight: number;
  readonly activation: "relu" | "gelu" | "geluTanh" | "silu";
  readonly expert: "ffn" | "swiglu";
}

type Tensors = Readonly<Record<string, ArrayLike<number>>>;

/** Results by name: y, aux_loss, grad.x, grad.gate.weight, grad.experts.*. */
export function reference(c: ReferenceConfig, t: Tensors): Record<string, Float64Array> {
  const out: Record<string, Float64Array> = {
    y: new Float64Array(t.x.length),
    aux_loss: new Float64Array(c.ranks),
    "grad.x": new Float64Array(t.x.length),
  };
  const parameters = Object.keys(t).filter((name) => /^(gate|experts)\./.test(name));
  for (const name of parameters) out[`grad.${name}`] = new Float64Array(t[name].length);
  const routings = Array.from({ length: c.ranks }, (_, rank) => route(c, t, rank));
  const capacity = capacityOf(c, Math.max(...routings.flatMap(({ loads }) => loads)));
  for (let rank = 0; rank < c.ranks; rank++) {
    rankPass(c, t, { rank, routing: routings[rank], capacity, out });
  }
  return out;
}

function capacityOf(c: ReferenceConfig, load: number): number {
  const fixed = c.topK * Math.floor(Math.abs(c.capacityFactor) * Math.ceil(c.tokens / c.experts));
  const places = c.capacityFactor > 0
    ? fixed
    : c.capacityFactor === 0
    ? load
    : Math.min(load, fixed);
  return Math.ceil(places / c.capacityAlignment) * c.capacityAlignment;
}

interface Routing {
  readonly scores: number[][];
  readonly choices: number[][];
  readonly weights: number[][];
  readonly positions: number[][];
  readonly loads: number[];
}

function row(values: ArrayLike<number>, index: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => values[index * width + i]);
}

function route(c: ReferenceConfig, t: Tensors, rank: number): Routing {
  const scores = Array.from({ length: c.tokens }, (_, token) => {
    const x = row(t.x, rank * c.tokens + token, c.modelDim);
    const logits = Array.from(
      { length: c.experts },
      (_, e) => dot(x, row(t["gate.weight"], e, c.modelDim)),
    );
    const top = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - top));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  });
  const choices = scores.map((s) =>
    s.map((_, e) => e).sort((a, b) => s[b] - s[a] || a - b).slice(0, c.topK)
  );
  const weights = scores.map((s, token) => {
    const chosen = choices[token].map((e) => s[e]);
    const sum = chosen.reduce((a, b) => a + b);
    return c.normalizeGate && c.topK > 1 ? chosen.map((w) => w / sum) : chosen;
  });
  const order = scores.map((_, token) => token);
  if (c.batchPrioritized) {
    order.sort((a, b) => Math.max(...scores[b]) - Math.max(...scores[a]) || a - b);
  }
  const loads = new Array(c.experts).fill(0);
  const positions: number[][] = scores.map(() => []);
  for (let k = 0; k < c.topK; k++) {
    for (const token of order) positions[token][k] = loads[choices[token][k]]++;
  }
  return { scores, choices, weights, positions, loads };
}

function rankPass(
  c: ReferenceConfig,
  t: Tensors,
  { rank, routing, capacity, out }: {
    rank: number;
    routing: Routing;
    capacity: number;
    out: Record<string, Float64Array>;
  },
): void {
  const { scores, choices, weights, positions } = routing;
  const { tokens, modelDim: m, experts } = c;
  const first = new Array(experts).fill(0);
  for (const [e] of choices) first[e] += 1 / tokens;
  for (let e = 0; e < experts; e++) {
    const mean = scores.reduce((sum, s) => sum + s[e], 0) / tokens;
    out.aux_loss[rank] += experts * mean * first[e];
  }
  for (let token = 0; token < tokens; token++) {
    const at = rank * tokens + token;
    const x = row(t.x, at, m);
    const dy = row(t.dy, at, m);
    const dx = new Array(m).fill(0);
    const dScores = first.map((f) => (c.auxWeight * experts * f) / tokens);
    const dWeights = choices[token].map((e, k) => {
      if (positions[token][k] >= capacity) return 0;
      const weight = weights[token][k];
      const input = c.prescore ? x.map((v) => v * weight) : x;
      const result = expert(c, t, e, input);
      for (let i = 0; i < m; i++) out.y[at * m + i] += result.y[i] * (c.prescore ? 1 : weight);
      const dInput = result.backward(c.prescore ? dy : dy.map((v) => v * weight), out);
      for (let i = 0; i < m; i++) dx[i] += dInput[i] * (c.prescore ? weight : 1);
      return c.prescore ? dot(dInput, x) : dot(dy, result.y);
    });
    const sum = choices[token].reduce((s, e) => s + scores[token][e], 0);
    const mean = dot(dWeights, weights[token]);
    choices[token].forEach((e, k) => {
      dScores[e] += c.normalizeGate && c.topK > 1 ? (dWeights[k] - mean) / sum : dWeights[k];
    });
    const inner = dot(dScores, scores[token]);
    for (let e = 0; e < experts; e++) {
      const dLogit = scores[token][e] * (dScores[e] - inner);
      for (let i = 0; i < m; i++) {
        dx[i] += dLogit * t["gate.weight"][e * m + i];
        out["grad.gate.weight"][e * m + i] += dLogit * x[i];
      }
    }
    dx.forEach((v, i) => out["grad.x"][at * m + i] = v);
  }
}

/** One expert on one token, with a function that adds up its weight gradients. */
function expert(c: ReferenceConfig, t: Tensors, e: number, x: number[]) {
  const { modelDim: m, hiddenDim: h } = c;
  const times = (name: string, v: number[], columns: number) =>
    Array.from(
      { length: columns },
      (_, j) => v.reduce((s, value, i) => s + value * t[name][(e * v.length + i) * columns + j], 0),
    );
  const back = (name: string, d: number[], rows: number) =>
    Array.from(
      { length: rows },
      (_, i) => d.reduce((s, v, j) => s + v * t[name][(e * rows + i) * d.length + j], 0),
    );
  const outer = (into: Float64Array, a: number[], d: number[]) =>
    a.forEach((v, i) => d.forEach((w, j) => into[(e * a.length + i) * d.length + j] += v * w));
  const bias = (name: string, v: number[]) =>
    t[name] ? v.map((value, j) => value + t[name][e * v.length + j]) : v;
  const { f, df } = ACTIVATION[c.expert === "swiglu" ? "silu" : c.activation];
  const a = bias("experts.b1", times("experts.w1", x, h));
  const gate = c.expert === "swiglu" ? times("experts.w3", x, h) : a.map(() => 1);
  const hidden = a.map((v, j) => f(v) * gate[j]);
  const y = bias("experts.b2", times("experts.w2", hidden, m));
  const backward = (dy: number[], out: Record<string, Float64Array>) => {
    const dHidden = back("experts.w2", dy, h);
    const da = dHidden.map((d, j) => d * df(a[j]) * gate[j]);
    const dGate = dHidden.map((d, j) => d * f(a[j]));
    outer(out["grad.experts.w2"], hidden, dy);
    outer(out["grad.experts.w1"], x, da);
    if (c.expert === "swiglu") outer(out["grad.experts.w3"], x, dGate);
    for (const [name, d] of [["b1", da], ["b2", dy]] as const) {
      const into = out[`grad.experts.${name}`];
      if (into) d.forEach((v, j) => into[e * d.length + j] += v);
    }
    const dx = back("experts.w1", da, m);
    const more = c.expert === "swiglu" ? back("experts.w3", dGate, m) : dx.map(() => 0);
    return dx.map((v, i) => v + more[i]);
  };
  return { y, backward };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/** Functions, and derivatives by Richardson-extrapolated central differences where not obvious. */
const ACTIVATION = {
  relu: { f: (v: number) => Math.max(v, 0), df: (v: number) => v > 0 ? 1 : 0 },
  gelu: differentiated((v) => 0.5 * v * (1 + erf(v / Math.SQRT2))),
  geluTanh: differentiated((v) =>
    0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))
  ),
  silu: differentiated((v) => v / (1 + Math.exp(-v))),
};

function differentiated(f: (v: number) => number) {
  const central = (v: number, h: number) => (f(v + h) - f(v - h)) / (2 * h);
  return { f, df: (v: number) => (4 * central(v, 5e-4) - central(v, 1e-3)) / 3 };
}

/** Series near 0, continued fraction of the complement beyond. */
function erf(v: number): number {
  const z = Math.abs(v);
  if (z > 6) return Math.sign(v);
  let term = z;
  let sum = z;
  for (let n = 1; n < 200; n++) {
    term *= -z * z / n;
    sum += term / (2 * n + 1);
  }
  return Math.sign(v) * sum * 2 / Math.sqrt(Math.PI);
}
