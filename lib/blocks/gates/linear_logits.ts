/** Logits as a product with a weight. @module */
import { aFlag, expect, maybe, options } from "../../arguments/mod.ts";
import { columnSum, gemm, matrixOf } from "../../kernels/mod.ts";
import type { GateContext, GateShape, GateTensor } from "./types.ts";
import type { Kernel, View } from "../../types.ts";
import { type Logits, tokensOf } from "./routed.ts";

const LINEAR_LOGITS_OPTIONS = options({ bias: maybe(aFlag) });

/** z = x @ weight^T, with `bias` + bias; both trained. */
export function linearLogits(options: { readonly bias?: boolean } = {}): Logits {
  expect("linearLogits", "options", options, LINEAR_LOGITS_OPTIONS);
  const { bias = false } = options;
  return {
    tensors: (shape) => [
      weightTensor("weight", shape),
      ...(bias ? [{ name: "bias", shape: [shape.rows], life: "parameter" } as const] : []),
    ],
    forward: (c) => [
      product(c, "weight", c.logits, bias ? matrixOf(c.tensor("bias"), 1, c.rows) : undefined),
    ],
    backward: (c) => [
      ...productGrad(c, "weight", c.dLogits, c.accumulate),
      ...(bias ? [columnSum(logits(c, c.dLogits), matrixOf(c.gradient("bias"), 1, c.rows))] : []),
    ],
    flops: productFlops,
  };
}

/** A trained [rows, modelDim]. */
export const weightTensor = (name: string, { rows, modelDim }: GateShape): GateTensor => ({
  ...{ name, shape: [rows, modelDim], life: "parameter", deviation: modelDim ** -0.5 },
});

/** out = x @ weight^T (+ bias). */
export const product = (
  c: GateContext,
  name: string,
  out: View,
  bias?: ReturnType<typeof matrixOf>,
): Kernel =>
  gemm(tokensOf(c).x, matrixOf(c.tensor(name), c.rows, c.modelDim), logits(c, out), {
    transB: true,
    ...(bias ? { bias } : {}),
  });

/** Gradients of x, added to where `add`, and of the weight. */
export function productGrad(c: GateContext, name: string, dOut: View, add: boolean): Kernel[] {
  const { x, dx } = tokensOf(c);
  const weight = matrixOf(c.tensor(name), c.rows, c.modelDim);
  return [
    gemm(logits(c, dOut), weight, dx, { add }),
    gemm(logits(c, dOut), x, matrixOf(c.gradient(name), c.rows, c.modelDim), { transA: true }),
  ];
}

/** Of one product with a weight [rows, modelDim]. */
export function productFlops({ tokens, modelDim, rows }: GateShape) {
  const flops = 2 * tokens * modelDim * rows;
  return { forward: flops, backward: 2 * flops };
}

const logits = (c: GateContext, view: View) => matrixOf(view, c.tokens, c.rows);
