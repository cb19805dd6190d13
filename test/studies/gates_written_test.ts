/** Reference cases of what no file in `test/golden` has, written here from plain loops in float64. */
import { assert, assertEquals } from "@std/assert";
import { openEngine } from "../../mod.ts";
import { encodeSafetensors } from "../../lib/files/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { goldenErrors, parseGolden, repeatRanks, runGolden } from "../../lib/studies/golden.ts";
import {
  best,
  type Dense,
  differences,
  dot,
  gatedExpert,
  row,
  sigmoid,
  silu,
  softmax,
  type Tensors,
  times,
} from "../blocks/dense.ts";

const [RANKS, TOKENS, MODEL, HIDDEN, EXPERTS, SHARED, LATENT] = [2, 6, 5, 4, 4, 3, 3];

const GATE = {
  scores: "softmax",
  bias: false,
  selectionBias: false,
  groups: 1,
  groupLimit: 1,
  normalize: true,
  scale: 1,
  weighs: "output",
  hash: false,
  choice: "token",
  zeroExperts: 0,
  noise: false,
  cosine: false,
};

/** A case: fields of its configuration, shapes of its parameters, and its output. */
interface Written {
  readonly fields: Record<string, unknown>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly dense: Dense;
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The bytes of a case, gradients by differences. */
function write({ fields, shapes, dense }: Written): Uint8Array {
  const activations = [RANKS, TOKENS, MODEL];
  const all = { x: activations, dy: activations, ...shapes };
  const values: Record<string, Float32Array> = {};
  for (const [i, [name, shape]] of Object.entries(all).entries()) {
    values[name] = name === "gate.temperature"
      ? Float32Array.of(0.5)
      : randomNormal(size(shape), { seed: 20 + i, scale: name === "x" ? 1 : 0.7 });
  }
  const tensors = Object.fromEntries(
    Object.entries(values).map(([name, data]) => [name, Float64Array.from(data)]),
  );
  const names = ["x", ...Object.keys(shapes)];
  const gradients = differences(dense, tensors, { dy: tensors.dy, names });
  const file = new Map(
    [
      ...Object.entries(values).map(([name, data]) => [name, all[name as "x"], data] as const),
      ["y", activations, Float32Array.from(dense(tensors))] as const,
      ["aux_loss", [RANKS], new Float32Array(RANKS)] as const,
      ...names.map((name) => [`grad.${name}`, all[name as "x"], gradients[name]] as const),
    ].map(([name, shape, data]) => [name, { dtype: "F32" as const, shape, data }]),
  );
  const config = {
    name: "written",
    ranks: RANKS,
    tokens: TOKENS,
    modelDim: MODEL,
    hiddenDim: HIDDEN,
    experts: EXPERTS,
    topK: 2,
    capacityFactor: 0,
    losses: [],
    ...fields,
  };
  return encodeSafetensors(file, { config: JSON.stringify(config) });
}

/** Weighted experts and the shared one, for each token. */
const layer = (
  weigh: (x: Float64Array, t: Tensors) => readonly number[],
  expert: (x: Float64Array, e: number, t: Tensors) => Float64Array,
  shared: (x: Float64Array, t: Tensors) => Float64Array,
): Dense =>
(t) => {
  const y = new Float64Array(t.x.length);
  for (let token = 0; token < t.x.length / MODEL; token++) {
    const x = row(t.x, token, MODEL), out = row(y, token, MODEL);
    for (const [e, weight] of weigh(x, t).entries()) {
      if (weight !== 0) expert(x, e, t).forEach((v, j) => out[j] += weight * v);
    }
    shared(x, t).forEach((v, j) => out[j] += v);
  }
  return y;
};

/** erf by its power series, which converges for the arguments here. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 80; n++) {
    term *= -x * x / n;
    sum += term / (2 * n + 1);
  }
  return 2 / Math.sqrt(Math.PI) * sum;
}

const WIDTH = 3;
const norm = (v: Float64Array) => Math.sqrt(dot(v, v));
const matrices = (t: Tensors, of: string) => {
  const [w1, w3, w2] = ["w1", "w3", "w2"].map((name) => t[`${of}.${name}`]);
  return { w1, w3, w2 };
};

const CASES: Readonly<Record<string, Written>> = {
  "cosine gate, GeGLU experts, shared SwiGLU with a sigmoid": {
    fields: {
      gate: { ...GATE, cosine: true },
      expert: "geglu",
      activation: "gelu",
      shared: { hiddenDim: SHARED, kind: "swiglu", gate: "sigmoid", activation: "silu" },
    },
    shapes: {
      "gate.projection": [MODEL, WIDTH],
      "gate.embedding": [EXPERTS, WIDTH],
      "gate.temperature": [1],
      "experts.w1": [EXPERTS, MODEL, HIDDEN],
      "experts.w3": [EXPERTS, MODEL, HIDDEN],
      "experts.w2": [EXPERTS, HIDDEN, MODEL],
      "shared.w1": [MODEL, SHARED],
      "shared.w3": [MODEL, SHARED],
      "shared.w2": [SHARED, MODEL],
      "shared.gate": [MODEL],
    },
    dense: layer(
      (x, t) => {
        const a = times(x, t["gate.projection"], WIDTH);
        const z = Array.from({ length: EXPERTS }, (_, e) => {
          const v = row(t["gate.embedding"], e, WIDTH);
          return dot(a, v) / norm(a) / norm(v) / t["gate.temperature"][0];
        });
        const chosen = best(z, 2), shares = softmax(chosen.map((e) => z[e]));
        return z.map((_, e) => chosen.includes(e) ? shares[chosen.indexOf(e)] : 0);
      },
      (x, e, t) =>
        gatedExpert(x, {
          ...matrices(t, "experts"),
          e,
          hidden: HIDDEN,
          act: (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
        }),
      (x, t) =>
        gatedExpert(x, { ...matrices(t, "shared"), e: 0, hidden: SHARED, act: silu })
          .map((v) => sigmoid(dot(x, t["shared.gate"])) * v),
    ),
  },
  "latent rows, SwiGLU experts": {
    fields: { latentDim: LATENT, gate: GATE, expert: "swiglu", activation: "silu" },
    shapes: {
      "gate.weight": [EXPERTS, MODEL],
      "latent.down": [MODEL, LATENT],
      "latent.up": [LATENT, MODEL],
      "experts.w1": [EXPERTS, LATENT, HIDDEN],
      "experts.w3": [EXPERTS, LATENT, HIDDEN],
      "experts.w2": [EXPERTS, HIDDEN, LATENT],
    },
    dense: layer(
      (x, t) => {
        const z = Array.from(
          { length: EXPERTS },
          (_, e) => dot(x, row(t["gate.weight"], e, MODEL)),
        );
        const chosen = best(z, 2), shares = softmax(chosen.map((e) => z[e]));
        return z.map((_, e) => chosen.includes(e) ? shares[chosen.indexOf(e)] : 0);
      },
      (x, e, t) => {
        const z = times(x, t["latent.down"], LATENT);
        const own = gatedExpert(z, { ...matrices(t, "experts"), e, hidden: HIDDEN, act: silu });
        return times(own, t["latent.up"], MODEL);
      },
      () => new Float64Array(MODEL),
    ),
  },
  "ReLU routing, squared ReLU experts, shared feed-forward": {
    fields: {
      topK: EXPERTS,
      gate: { ...GATE, scores: "relu", normalize: false, scale: 1.5 },
      expert: "relu2",
      activation: "relu",
      shared: { hiddenDim: SHARED, kind: "ffn", gate: "none", activation: "silu" },
    },
    shapes: {
      "gate.weight": [EXPERTS, MODEL],
      "experts.w1": [EXPERTS, MODEL, HIDDEN],
      "experts.w2": [EXPERTS, HIDDEN, MODEL],
      "shared.w1": [MODEL, SHARED],
      "shared.w2": [SHARED, MODEL],
    },
    dense: layer(
      (x, t) =>
        Array.from(
          { length: EXPERTS },
          (_, e) => 1.5 * Math.max(0, dot(x, row(t["gate.weight"], e, MODEL))),
        ),
      (x, e, t) => {
        const each = MODEL * HIDDEN;
        const h = times(x, row(t["experts.w1"], e, each), HIDDEN).map((v) => Math.max(0, v) ** 2);
        return times(h, row(t["experts.w2"], e, each), MODEL);
      },
      (x, t) => times(times(x, t["shared.w1"], SHARED).map(silu), t["shared.w2"], MODEL),
    ),
  },
};

for (const [name, written] of Object.entries(CASES)) {
  Deno.test(`runGolden() of ${name} equals plain loops, also on twice as many ranks`, async () => {
    const golden = parseGolden(write(written), "written.safetensors");
    for (const given of [golden, repeatRanks(golden, 2 * RANKS)]) {
      const nodes = given.ranks / RANKS;
      using engine = openEngine({ kind: "cpu", nodes, ranksPerNode: RANKS, links: "plain" });
      const results = await runGolden(engine, given, { scheduler: "optSche", chunks: 2 });
      const errors = goldenErrors(given, results);
      for (
        const tensor of [
          "y",
          "grad.x",
          ...Object.keys(written.shapes).map((of) => `grad.${of}`),
        ]
      ) {
        assert(errors[tensor] < 1e-5, `${tensor} differs by ${errors[tensor]}`);
      }
      assertEquals([...results.get("aux_loss")!], Array(given.ranks).fill(0));
    }
  });
}

Deno.test("repeatRanks() repeats losses and keeps what is counted over all ranks", async () => {
  for (const name of ["qwen3", "deepseek-v3", "gpt-oss"]) {
    const file = new URL(`../golden/gates/${name}.safetensors`, import.meta.url);
    const golden = repeatRanks(parseGolden(Deno.readFileSync(file), name), 4);
    using engine = openEngine({ kind: "cpu", nodes: 2, ranksPerNode: 2, links: "plain" });
    const errors = goldenErrors(golden, await runGolden(engine, golden, { chunks: 2 }));
    for (const [tensor, error] of Object.entries(errors)) {
      assert(error < 1e-5, `${name}: ${tensor} differs by ${error}`);
    }
    assert(Object.keys(errors).some((tensor) => tensor.startsWith("loss.")));
  }
});
