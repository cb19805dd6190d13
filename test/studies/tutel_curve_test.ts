/**
 * Tutel's published curve: losses of `tutel/examples/helloworld.py` with `--top 2 --dtype float64 --num_local_experts 2
 * --hidden_size 2048 --batch_size 1 --num_tokens 1024`, in microsoft/tutel (commit 82af7aa), tests/test_baseline.json.
 * One layer, gradient descent at a rate of 1e-5; the loss is -log of the softmax over tokens of their outputs' sums, of
 * token 0.
 */
import { assertLess } from "@std/assert";
import { createLayer, ffn, openEngine, topK } from "../../mod.ts";
import { torchRandom } from "./torch_random.ts";

const PUBLISHED = [27.448386457158, 16.62704052924519, 7.467060806621459, 0.5762248991293285];
const [tokens, modelDim, hiddenDim, experts] = [1024, 2048, 2048, 2];

/** Weights and inputs as Tutel makes them: linear layers [out, in], one expert after another. */
function values() {
  const random = torchRandom(1);
  const [w1, b1, w2, b2]: Float32Array[][] = [[], [], [], []];
  const bound = modelDim ** -0.5;
  for (let expert = 0; expert < experts; expert++) {
    w1.push(transposed(random.uniform(hiddenDim * modelDim, bound), hiddenDim));
    b1.push(random.uniform(hiddenDim, bound));
    w2.push(transposed(random.uniform(modelDim * hiddenDim, bound), modelDim));
    b2.push(random.uniform(modelDim, bound));
  }
  return {
    parameters: {
      "gate.weight": torchRandom(1).uniform(experts * modelDim, bound),
      "experts.w1": joined(w1),
      "experts.b1": joined(b1),
      "experts.w2": joined(w2),
      "experts.b2": joined(b2),
    } as Record<string, Float32Array>,
    x: torchRandom(0).normal(tokens * modelDim),
  };
}

Deno.test("a layer trains along Tutel's published curve", async () => {
  const { parameters, x } = values();
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 1, links: "plain" });
  using layer = createLayer(engine, {
    ...{ tokens, modelDim, hiddenDim, experts, gate: topK({ k: 2 }) },
    ...{ expert: ffn({ activation: "relu" }), routing: { capacityFactor: 1 } },
  });
  for (const [step, published] of PUBLISHED.entries()) {
    layer.set(parameters);
    const { output } = await layer.forward({ x });
    const sums = Float64Array.from({ length: tokens }, (_, t) => {
      const row = output!.subarray(t * modelDim, (t + 1) * modelDim);
      return row.reduce((sum, value) => sum + value, 0);
    });
    const most = sums.reduce((a, b) => Math.max(a, b));
    const total = sums.reduce((sum, value) => sum + Math.exp(value - most), 0);
    const loss = most + Math.log(total) - sums[0];
    assertLess(Math.abs(loss - published), 5e-5, `step ${step}: ${loss}, not ${published}`);
    const dy = new Float32Array(tokens * modelDim);
    for (let t = 0; t < tokens; t++) {
      const slope = Math.exp(sums[t] - most) / total - Number(t === 0);
      dy.fill(slope, t * modelDim, (t + 1) * modelDim);
    }
    const { gradients } = await layer.backward({ dy });
    for (const [name, values] of Object.entries(parameters)) {
      const gradient = gradients![name];
      for (let i = 0; i < values.length; i++) values[i] -= 1e-5 * gradient[i];
    }
  }
});

function transposed(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = values[row * columns + column];
    }
  }
  return out;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.forEach((part, i) => out.set(part, i * part.length));
  return out;
}
