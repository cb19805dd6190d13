import { assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import { openEngine, SchemoeError, swiglu, writeSafetensors } from "../../mod.ts";
import { createModel, loadMixtral, mixtralConfig, type MixtralJson } from "../../lib/model/mod.ts";
import { basename, dirname } from "node:path";
import { parseSafetensors, type Tensor } from "../../lib/files/mod.ts";
import { uniforms } from "../../lib/random.ts";

const json: MixtralJson = {
  vocab_size: 13,
  hidden_size: 12,
  intermediate_size: 10,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 4,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  rms_norm_eps: 1e-5,
  rope_theta: 1e4,
  hidden_act: "silu",
};
const [V, M, H, A, G, D, E, L] = [13, 12, 10, 4, 2, 4, 4, 6];
const sizes = { context: L, batch: 2 };

type Weights = Record<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>;

/** Random weights under transformers' names, linear layers as [out, in]. */
function weights(): Weights {
  const uniform = uniforms(7);
  const made: Weights = {};
  const add = (name: string, shape: number[], scale = shape.at(-1)! ** -0.5, plus = 0) => {
    const count = shape.reduce((a, b) => a * b);
    const data = Float32Array.from({ length: count }, () => plus + scale * (4 * uniform() - 2));
    made[`${name}.weight`] = { shape, data };
  };
  add("model.embed_tokens", [V, M], 1);
  for (let i = 0; i < 2; i++) {
    const of = `model.layers.${i}`;
    add(`${of}.input_layernorm`, [M], 0.2, 1);
    add(`${of}.self_attn.q_proj`, [A * D, M]);
    add(`${of}.self_attn.k_proj`, [G * D, M]);
    add(`${of}.self_attn.v_proj`, [G * D, M]);
    add(`${of}.self_attn.o_proj`, [M, A * D]);
    add(`${of}.post_attention_layernorm`, [M], 0.2, 1);
    add(`${of}.block_sparse_moe.gate`, [E, M], 1);
    for (let e = 0; e < E; e++) {
      add(`${of}.block_sparse_moe.experts.${e}.w1`, [H, M]);
      add(`${of}.block_sparse_moe.experts.${e}.w2`, [M, H]);
      add(`${of}.block_sparse_moe.experts.${e}.w3`, [H, M]);
    }
  }
  add("model.norm", [M], 0.2, 1);
  add("lm_head", [V, M]);
  return made;
}

/** Mixtral's forward pass in plain loops over float64: the mean cross entropy of one sequence. */
function reference(made: Weights, tokens: readonly number[]): number {
  const linear = (name: string, x: readonly number[]): number[] => {
    const { shape: [rows, columns], data } = made[`${name}.weight`];
    return Array.from(
      { length: rows },
      (_, r) => x.reduce((sum, value, c) => sum + value * data[r * columns + c], 0),
    );
  };
  const norm = (name: string, x: readonly number[]): number[] => {
    const root = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / M + 1e-5);
    return x.map((v, i) => v / root * made[`${name}.weight`].data[i]);
  };
  const softmax = (x: readonly number[]): number[] => {
    const powers = x.map((v) => Math.exp(v - Math.max(...x)));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((v) => v / sum);
  };
  const turned = (x: readonly number[], position: number): number[] =>
    x.map((v, at) => {
      const [head, i] = [Math.floor(at / D) * D, at % D];
      const angle = position * 1e4 ** (-2 * (i % (D / 2)) / D);
      const other = i < D / 2 ? -x[head + i + D / 2] : x[head + i - D / 2];
      return v * Math.cos(angle) + other * Math.sin(angle);
    });
  const plus = (a: readonly number[], b: readonly number[]) => a.map((v, i) => v + b[i]);
  let h = tokens.slice(0, L).map((
    token,
  ) => [...made["model.embed_tokens.weight"].data.subarray(token * M, (token + 1) * M)]);
  for (let i = 0; i < 2; i++) {
    const of = `model.layers.${i}`;
    const x = h.map((row) => norm(`${of}.input_layernorm`, row));
    const q = x.map((row, l) => turned(linear(`${of}.self_attn.q_proj`, row), l));
    const k = x.map((row, l) => turned(linear(`${of}.self_attn.k_proj`, row), l));
    const v = x.map((row) => linear(`${of}.self_attn.v_proj`, row));
    h = h.map((row, l) => {
      const attended = Array.from({ length: A }, (_, a) => {
        const g = Math.floor(a / (A / G)) * D;
        const scores = softmax(
          k.slice(0, l + 1).map((key) =>
            Array.from({ length: D }, (_, d) => q[l][a * D + d] * key[g + d]).reduce((s, p) =>
              s + p
            ) / Math.sqrt(D)
          ),
        );
        return Array.from(
          { length: D },
          (_, d) => scores.reduce((sum, score, m) => sum + score * v[m][g + d], 0),
        );
      }).flat();
      return plus(row, linear(`${of}.self_attn.o_proj`, attended));
    });
    h = h.map((row) => {
      const x = norm(`${of}.post_attention_layernorm`, row);
      const scores = softmax(linear(`${of}.block_sparse_moe.gate`, x));
      const best = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 2);
      const total = best.reduce((sum, e) => sum + scores[e], 0);
      return best.reduce((sum, e) => {
        const expert = `${of}.block_sparse_moe.experts.${e}`;
        const up = linear(`${expert}.w3`, x);
        const hidden = linear(`${expert}.w1`, x).map((v, j) => v / (1 + Math.exp(-v)) * up[j]);
        return plus(sum, linear(`${expert}.w2`, hidden).map((v) => v * scores[e] / total));
      }, row);
    });
  }
  const losses = h.map((row, l) =>
    -Math.log(softmax(linear("lm_head", norm("model.norm", row)))[tokens[l + 1]])
  );
  return losses.reduce((a, b) => a + b) / L;
}

const tokens = Int32Array.from({ length: 4 * (L + 1) }, (_, i) => (i * i + 3 * i) % V);

async function withFiles(body: (paths: string[], made: Weights) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  const made = weights();
  const tensors = Object.entries(made).map(([name, { shape, data }]) =>
    [name, { dtype: "F32" as const, shape, data }] as const
  );
  const paths = [0, 1].map((i) => `${folder}/model-${i}.safetensors`);
  try {
    for (const [i, path] of paths.entries()) {
      await writeSafetensors(new Map(tensors.filter((_, at) => at % 2 === i)), path);
    }
    await body(paths, made);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("loadMixtral() gives the loss of Mixtral's forward pass, on one rank and on two", async () => {
  await withFiles(async (paths, made) => {
    const sequences = Array.from({ length: 4 }, (_, i) => [...tokens].slice(7 * i, 7 * i + 7));
    const expected = sequences.reduce((sum, one) => sum + reference(made, one) / 4, 0);
    for (const ranksPerNode of [1, 2]) {
      using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode, links: "plain" });
      const batch = 4 / ranksPerNode;
      using model = createModel(engine, mixtralConfig(json, { ...sizes, batch }));
      await loadMixtral(model, paths);
      const found = await model.evaluate(tokens);
      assertLess(Math.abs(found / expected - 1), 1e-5, `${found}, not ${expected}`);
    }
  });
});

Deno.test("loadMixtral() names what is missing or of another shape, and changes nothing", async () => {
  await withFiles(async (paths) => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
    const refused = async (change: object, text: string, files = paths) => {
      using model = createModel(engine, mixtralConfig({ ...json, ...change }, sizes));
      const before = await model.read("embedding");
      await assertRejects(() => loadMixtral(model, files), SchemoeError, text);
      assertEquals(await model.read("embedding"), before);
    };
    await refused({}, "there is no tensor", [paths[0]]);
    await refused({ vocab_size: 14 }, '"model.embed_tokens.weight" is [13, 12], not [14, 12]');
    await refused({ intermediate_size: 9 }, 'experts.0.w1.weight" is [10, 12], not [9, 12]');
    const layers = [{ ffn: { hiddenDim: 4, expert: swiglu() } }];
    using dense = createModel(engine, { ...mixtralConfig(json, sizes), layers });
    await assertRejects(() => loadMixtral(dense, paths), SchemoeError, "layers[0] has no experts");
  });
});

Deno.test("loadMixtral() reads the parts that an index names, in bfloat16, with a tied head", async () => {
  await withFiles(async (paths) => {
    const folder = dirname(paths[0]);
    const parts = paths.map((path) => parseSafetensors(Deno.readFileSync(path), path).tensors);
    const weight_map: Record<string, string> = {};
    for (const [i, path] of paths.entries()) {
      const tensors = new Map<string, Tensor>();
      for (const [name, { shape, data }] of parts[i]) {
        weight_map[name] = basename(path);
        tensors.set(name, { dtype: "BF16", shape, data: data as Float32Array<ArrayBuffer> });
      }
      const table: Tensor = { dtype: "F32", shape: [2], data: new Float32Array(2) };
      if (i === 0) tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", table);
      await writeSafetensors(tensors, path);
    }
    const index = `${folder}/model.safetensors.index.json`;
    const write = (value: unknown) => Deno.writeTextFile(index, JSON.stringify(value));
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
    using model = createModel(engine, mixtralConfig({ ...json, tie_word_embeddings: true }, sizes));
    await write({ metadata: {}, weight_map });
    await loadMixtral(model, index);
    const bits = (await model.read("embedding")).map((value) => Math.fround(value));
    using other = createModel(engine, mixtralConfig({ ...json, tie_word_embeddings: true }, sizes));
    await loadMixtral(other, paths);
    assertEquals(await other.read("embedding"), bits);
    const refused = async (text: string) =>
      await assertRejects(() => loadMixtral(other, index), SchemoeError, text);
    await write({ weight_map: { ...weight_map, one: "none.safetensors" } });
    await refused("none.safetensors");
    await write({});
    await refused('it has no "weight_map" of tensors to files');
    await Deno.writeTextFile(index, "{");
    await refused("Cannot read the index");
  });
});

Deno.test("loadMixtral() refuses what it would leave out, and integers", async () => {
  await withFiles(async (paths) => {
    using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
    const refused = async (change: object, text: string, files = paths) => {
      using model = createModel(engine, mixtralConfig({ ...json, ...change }, sizes));
      await assertRejects(() => loadMixtral(model, files), SchemoeError, text);
    };
    await refused({ num_hidden_layers: 1 }, 'its tensor "model.layers.1.');
    await refused({ num_local_experts: 3 }, 'gate.weight" is [4, 12], not [3, 12]');
    const one = `${dirname(paths[0])}/more.safetensors`;
    const bias: Tensor = { dtype: "F32", shape: [16], data: new Float32Array(16) };
    await writeSafetensors({ "model.layers.0.self_attn.q_proj.bias": bias }, one);
    await refused({}, 'self_attn.q_proj.bias" is none of the model', [...paths, one]);
    const norm: Tensor = { dtype: "I32", shape: [12], data: new Int32Array(12) };
    await writeSafetensors({ "model.norm.weight": norm }, one);
    await refused({}, '"model.norm.weight" is I32, which is no float type', [one, ...paths]);
  });
});

Deno.test("mixtralConfig() names a field that is missing or cannot be met", () => {
  const refused = (change: object, text: string) =>
    assertThrows(() => mixtralConfig({ ...json, ...change }, sizes), SchemoeError, text);
  refused({ vocab_size: undefined }, "vocab_size is undefined, not a number");
  refused({ hidden_act: "gelu" }, 'hidden_act is "gelu", only "silu" is there');
  refused({ sliding_window: 4 }, "sliding_window is 4, below the context of 6");
});
