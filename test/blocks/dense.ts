/** A layer in plain loops and float64, written for tests: gradients are central differences of its output. */
import { assert } from "@std/assert";
import { createLayer, openEngine } from "../../mod.ts";
import type { LayerConfig } from "../../lib/blocks/mod.ts";
import { randomNormal } from "../../lib/layer/mod.ts";
import { largestError } from "../../lib/studies/golden.ts";

/** Tensors of a layer by name. */
export type Tensors = Readonly<Record<string, Float64Array>>;

/** y [tokens, modelDim] of all ranks' tokens. */
export type Dense = (tensors: Tensors) => Float64Array;

/** `rows` x `columns` of a matrix, from its first element on. */
export const row = (m: Float64Array, i: number, columns: number): Float64Array =>
  m.subarray(i * columns, (i + 1) * columns);

/** x @ m of a vector, m [length of x, columns]. */
export function times(x: ArrayLike<number>, m: Float64Array, columns: number): Float64Array {
  const y = new Float64Array(columns);
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < columns; j++) y[j] += x[i] * m[i * columns + j];
  }
  return y;
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

export function softmax(z: ArrayLike<number>): number[] {
  const all = Array.from(z);
  const most = Math.max(...all);
  const powers = all.map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((p) => p / sum);
}

export const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
export const silu = (v: number): number => v * sigmoid(v);

/** Numbers of the k largest. */
export const best = (values: readonly number[], k: number): number[] =>
  [...values.keys()].sort((a, b) => values[b] - values[a] || a - b).slice(0, k);

/** (act(x @ w1) * (x @ w3)) @ w2 of expert e. */
export function gatedExpert(
  x: ArrayLike<number>,
  { w1, w3, w2, e, hidden, act }: {
    readonly w1: Float64Array;
    readonly w3: Float64Array;
    readonly w2: Float64Array;
    readonly e: number;
    readonly hidden: number;
    readonly act: (v: number) => number;
  },
): Float64Array {
  const size = x.length * hidden;
  const a = times(x, row(w1, e, size), hidden);
  const b = times(x, row(w3, e, size), hidden);
  return times(a.map((v, i) => act(v) * b[i]), row(w2, e, size), x.length);
}

const STEP = 1e-5;

/** Gradients of sum(y * dy) in every tensor named, as central differences. */
export function differences(
  dense: Dense,
  tensors: Tensors,
  { dy, names }: { readonly dy: Float64Array; readonly names: readonly string[] },
): Record<string, Float32Array> {
  const found: Record<string, Float32Array> = {};
  for (const name of names) {
    const values = Float64Array.from(tensors[name]);
    const at = (i: number, value: number) => {
      const kept = values[i];
      values[i] = value;
      const total = dot(dense({ ...tensors, [name]: values }), dy);
      values[i] = kept;
      return total;
    };
    found[name] = Float32Array.from(
      values,
      (v, i) => (at(i, v + STEP) - at(i, v - STEP)) / (2 * STEP),
    );
  }
  return found;
}

/** Compares output and gradients of a layer on two ranks with what plain loops give. */
export async function compareWithDense(config: LayerConfig, dense: Dense): Promise<void> {
  const ranks = 2;
  using engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: ranks, links: "plain" });
  using layer = createLayer(engine, config, { seed: 3 });
  const size = ranks * config.tokens * config.modelDim;
  const [x, dy] = [randomNormal(size, { seed: 4 }), randomNormal(size, { seed: 5 })];
  const { output } = await layer.forward({ x });
  const { gradients } = await layer.backward({ dy });
  const tensors: Record<string, Float64Array> = { x: Float64Array.from(x) };
  for (const name of Object.keys(layer.parameters)) {
    tensors[name] = Float64Array.from(layer.get(name));
  }
  const error = largestError(output!, Float32Array.from(dense(tensors)));
  assert(error < 1e-5, `the output differs by ${error}`);
  const names = Object.keys(gradients!);
  const expected = differences(dense, tensors, { dy: Float64Array.from(dy), names });
  for (const name of names) {
    assert(expected[name].some((v) => Math.abs(v) > 1e-3), `${name} has no gradient`);
    const apart = largestError(gradients![name], expected[name]);
    assert(apart < 1e-5, `the gradient of ${name} differs by ${apart}`);
  }
}
