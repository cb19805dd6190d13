/**
 * One layer with its gate, losses and updates in plain loops and float64, from the fields of a reference case alone
 * (`test/golden/README.md`). Nothing here calls the library.
 */
import { best, dot, row, sigmoid, silu, softmax, type Tensors, times } from "../blocks/dense.ts";
import type { CaseFields, CaseGate, Token } from "./gates_fields.ts";
import { balanced, descending, erf, lossOf, signed, sum } from "./gates_losses.ts";

/** What comes out of a layer. */
export interface Results {
  readonly y: Float64Array;
  /** Of each rank. */
  readonly losses: Readonly<Record<string, number[]>>;
  readonly auxLoss: number[];
  readonly selectionBias?: number[];
  /** Smallest gap between values that are compared: below it a rounding error may choose otherwise. */
  readonly margin: number;
}

const gelu = (v: number) => 0.5 * v * (1 + erf(v / Math.SQRT2));
const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
const relu = (v: number) => Math.max(v, 0);
const ACTIVATION: Readonly<Record<string, (v: number) => number>> = { relu, gelu, silu };
const norm = (v: Float64Array) => Math.max(Math.sqrt(dot(v, v)), 1e-12);

/** Computes a layer. */
export function reference(f: CaseFields, t: Tensors): Results {
  const { gate, ranks, tokens, modelDim, experts, topK } = f;
  const rows = experts + gate.zeroExperts;
  let margin = Infinity;
  const gaps = (values: readonly number[], from: number, to: number) => {
    const sorted = descending(values);
    for (let i = from; i < Math.min(to, sorted.length - 1); i++) {
      margin = Math.min(margin, sorted[i] - sorted[i + 1]);
    }
  };

  const tokenOf = (at: number): Token => {
    const x = row(t.x, at, modelDim);
    const clean = logits(f, t, x);
    const deviation = gate.noise
      ? clean.map((_, e) => softplus(dot(x, row(t["gate.noiseWeight"], e, modelDim))))
      : [];
    const z = gate.noise
      ? clean.map((v, e) => v + t["gate.noise"][at * rows + e] * deviation[e])
      : clean;
    return { z, clean, deviation, s: scores(gate, z), chosen: [], w: [], dropped: new Set() };
  };

  /** The k best by v, within the kept groups. */
  const byToken = (token: Token, at: number): number[] => {
    if (gate.hash) return Array.from(row(t["gate.table"], t.tokenIds[at], topK));
    const v = token.s.map((s, e) => gate.selectionBias ? s + t["gate.selectionBias"][e] : s);
    const each = rows / gate.groups;
    const sums = Array.from(
      { length: gate.groups },
      (_, g) => sum(descending(v.slice(g * each, (g + 1) * each)).slice(0, 2)),
    );
    gaps(sums, gate.groupLimit - 1, gate.groupLimit);
    const kept = best(sums, gate.groupLimit);
    const open = v.map((value, e) => kept.includes(Math.floor(e / each)) ? value : -Infinity);
    if (gate.scores === "relu") {
      for (const z of token.z) margin = Math.min(margin, Math.abs(z));
      return best(open, rows).filter((e) => token.z[e] > 0);
    }
    gaps(open.filter((value) => value > -Infinity), 0, topK);
    return best(open, topK);
  };

  const all = Array.from(
    { length: ranks },
    (_, r) => Array.from({ length: tokens }, (_, i) => tokenOf(r * tokens + i)),
  );
  for (const [r, own] of all.entries()) {
    if (gate.choice === "expert") {
      const count = Math.min(tokens, Math.floor(f.capacityFactor * tokens * topK / experts));
      for (let e = 0; e < experts; e++) {
        const column = own.map(({ s }) => s[e]);
        gaps(column, count - 1, count);
        for (const i of best(column, count)) own[i].chosen.push(e);
      }
    } else {
      for (const [i, token] of own.entries()) token.chosen = byToken(token, r * tokens + i);
    }
    for (const token of own) token.w = weights(gate, token, topK);
    if (gate.choice === "token" && f.capacityFactor > 0) {
      const first = own.map(({ s }) => Math.max(...s));
      if (f.batchPrioritized) gaps(first, 0, tokens);
      drop(f, own, f.batchPrioritized ? best(first, tokens) : [...own.keys()]);
    }
  }

  const y = new Float64Array(t.x.length);
  const { experts: expert, shared } = blocks(f, t, (gap) => margin = Math.min(margin, gap));
  for (const [at, token] of all.flat().entries()) {
    const x = row(t.x, at, modelDim), out = row(y, at, modelDim);
    const add = (values: Float64Array, by = 1) => values.forEach((v, j) => out[j] += by * v);
    for (const e of token.chosen) {
      const w = token.w[e];
      if (token.dropped.has(e)) continue;
      if (e >= experts) add(x, w);
      else if (gate.weighs === "input") add(expert(x.map((v) => w * v), e));
      else add(expert(x, e), w);
    }
    if (shared) add(shared(x));
  }

  const counts = all.map((own) => {
    const n = Array<number>(rows).fill(0);
    for (const { chosen } of own) for (const e of chosen) n[e]++;
    return n;
  });
  const losses = Object.fromEntries(f.losses.map(({ name }) => [
    name,
    all.map((own, r) => lossOf(name, { f, own, counts, r, gaps })),
  ]));
  const auxLoss = all.map((_, r) =>
    sum(f.losses.map(({ name, weight }) => weight * losses[name][r]))
  );
  const updated = (f.updates ?? []).map((update) => {
    const bias = Array.from(t["gate.selectionBias"]);
    return update.name === "sign"
      ? signed(bias, counts, update.rate!)
      : balanced(bias, all, topK, update.ema!);
  })[0];
  return { y, losses, auxLoss, margin, ...(updated ? { selectionBias: updated } : {}) };
}

function logits({ gate, experts }: CaseFields, t: Tensors, x: Float64Array): number[] {
  const rows = Array.from({ length: experts + gate.zeroExperts }, (_, e) => e);
  const bias = (e: number) => gate.bias ? t["gate.bias"][e] : 0;
  if (!gate.cosine) return rows.map((e) => dot(x, row(t["gate.weight"], e, x.length)) + bias(e));
  const width = t["gate.projection"].length / x.length;
  const a = times(x, t["gate.projection"], width);
  return rows.map((e) => {
    const v = row(t["gate.embedding"], e, width);
    return dot(a, v) / norm(a) / norm(v) / t["gate.temperature"][0] + bias(e);
  });
}

function scores({ scores: kind }: CaseGate, z: number[]): number[] {
  switch (kind) {
    case "softmax":
      return softmax(z);
    case "sigmoid":
      return z.map(sigmoid);
    case "sqrtsoftplus":
      return z.map((v) => Math.sqrt(softplus(v)));
    case "softmaxOfChosen":
      return [...z];
    case "relu":
      return z.map(relu);
  }
}

function weights(gate: CaseGate, { z, s, chosen }: Token, topK: number): number[] {
  const shares = gate.scores === "softmaxOfChosen" && chosen.length > 0
    ? softmax(chosen.map((e) => z[e]))
    : chosen.map((e) => s[e]);
  const by = gate.normalize && !(topK === 1 && gate.choice === "token") ? sum(shares) + 1e-20 : 1;
  const w = Array<number>(z.length).fill(0);
  for (const [i, e] of chosen.entries()) w[e] = shares[i] / by * gate.scale;
  return w;
}

/** Places by rank of choice, then by token. */
function drop(f: CaseFields, own: readonly Token[], order: readonly number[]): void {
  const places = f.topK * Math.floor(f.capacityFactor * Math.ceil(f.tokens / f.experts));
  const taken = Array<number>(f.experts).fill(0);
  for (let c = 0; c < f.experts + f.gate.zeroExperts; c++) {
    for (const i of order) {
      const e = own[i].chosen[c];
      if (e === undefined || e >= f.experts) continue;
      if (taken[e]++ >= places) own[i].dropped.add(e);
    }
  }
}

/** Functions of rows: experts, in their width, and the shared one. */
function blocks(f: CaseFields, t: Tensors, gap: (least: number) => void) {
  const { modelDim, hiddenDim, latentDim } = f;
  const width = latentDim ?? modelDim;
  const of = (name: string, e: number, size: number) => row(t[`experts.${name}`], e, size);
  const affine = (
    x: Float64Array,
    [w, b]: readonly [string, string],
    e: number,
    columns: number,
  ) => {
    const h = times(x, of(w, e, x.length * columns), columns);
    return f.bias ? h.map((v, j) => v + of(b, e, columns)[j]) : h;
  };
  const inside = (a: Float64Array, u: () => Float64Array): Float64Array => {
    const act = ACTIVATION[f.activation];
    switch (f.expert) {
      case "ffn":
        if (f.activation === "relu") a.forEach((v) => gap(Math.abs(v)));
        return a.map(act);
      case "relu2":
        return a.map((v) => relu(v) ** 2);
      case "llama_ffn":
        return u().map((v, j) => v * silu(a[j]));
      case "geglu":
        return u().map((v, j) => v * gelu(a[j]));
      case "clampedSwiglu": {
        const b = u();
        for (const v of a) gap(Math.abs(v - 7));
        for (const v of b) gap(Math.abs(Math.abs(v) - 7));
        return a.map((v, j) => {
          const g = Math.min(v, 7), clamped = Math.min(7, Math.max(-7, b[j]));
          return g * sigmoid(1.702 * g) * (clamped + 1);
        });
      }
    }
  };
  const own = (x: Float64Array, e: number) =>
    affine(
      inside(affine(x, ["w1", "b1"], e, hiddenDim), () => affine(x, ["w3", "b3"], e, hiddenDim)),
      ["w2", "b2"],
      e,
      width,
    );
  const experts = latentDim === undefined
    ? own
    : (x: Float64Array, e: number) =>
      times(own(times(x, t["latent.down"], latentDim), e), t["latent.up"], modelDim);
  if (!f.shared) return { experts };
  const { kind, gate, activation, hiddenDim: size } = f.shared;
  const shared = (x: Float64Array) => {
    const a = times(x, t["shared.w1"], size);
    if (kind === "ffn" && activation === "relu") a.forEach((v) => gap(Math.abs(v)));
    const b = kind === "swiglu" ? times(x, t["shared.w3"], size) : undefined;
    const h = b ? a.map((v, j) => silu(v) * b[j]) : a.map(ACTIVATION[activation]);
    const q = gate === "sigmoid" ? sigmoid(dot(x, t["shared.gate"])) : 1;
    return times(h, t["shared.w2"], modelDim).map((v) => q * v);
  };
  return { experts, shared };
}
