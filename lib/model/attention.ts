/** Attention of a block, and the norms before it and before what follows. @module */
import {
  add,
  attend,
  attendGrad,
  gemm,
  norm,
  normGrad,
  normWeightGrad,
  rotary,
} from "../kernels/mod.ts";
import type { Kernel, Task, View } from "../types.ts";
import type { Matrix } from "../kernels/types.ts";
import type { Part } from "./parts.ts";

/** Buffers of a block, which its backward part reads again. */
export function blockBuffers(part: Part, index: number) {
  const { tokens, modelDim, attention, sequences, context } = part.model;
  const of = `blocks.${index}.`;
  const rows = (name: string, columns: number): Matrix => part.rows(of + name, columns);
  const queries = attention.heads * attention.headDim;
  const keys = attention.keyValueHeads * attention.headDim;
  return {
    /** Residuals: before the block, between its halves, after it. */
    before: part.rows(`h.${index}`, modelDim),
    between: rows("between", modelDim),
    after: part.rows(`h.${index + 1}`, modelDim),
    normed: rows("normed", modelDim),
    q: rows("q", queries),
    k: rows("k", keys),
    v: rows("v", keys),
    attended: rows("attended", queries),
    logsum: part.floats(`${of}logsum`, sequences * attention.heads * context),
    statistics: part.floats(`${of}statistics`, 2 * tokens),
    /** Input and output of experts or feed-forward network. */
    x: rows("x", modelDim),
    y: rows("y", modelDim),
    xStatistics: part.floats(`${of}x.statistics`, 2 * tokens),
  };
}

/** Gradients of the residuals, and of the input of experts or feed-forward network. */
export const gradientBuffers = (part: Part) => {
  const { modelDim } = part.model;
  return { dh: part.rows("dh", modelDim), dx: part.rows("dx", modelDim) };
};

/** Names of weight and bias of a norm, and its sizes. */
export function normOf(part: Part, name: string) {
  const { norm: { centered, epsilon }, tokens, modelDim, dtype } = part.model;
  const weight = part.tensor(name);
  return {
    shape: { centered, rows: tokens, columns: modelDim, dtype },
    epsilon,
    weight,
    ...(centered ? { bias: part.tensor(`${name}.bias`) } : {}),
    /** Kernels of the gradients of weight and bias, into the group's. */
    weightGrad(group: string, at: { dy: View; x: View; statistics: View }): Kernel {
      const whole = part.group(group);
      const bias = centered ? { bias: part.gradient(whole, `${name}.bias`) as View } : {};
      return normWeightGrad(this.shape, { ...at, weight: part.gradient(whole, name), ...bias });
    },
  };
}

const sizesOf = ({ model }: Part) => ({
  batch: model.sequences,
  length: model.context,
  heads: model.attention.heads,
  keyValueHeads: model.attention.keyValueHeads,
  headDim: model.attention.headDim,
  dtype: model.dtype,
});

/** Queries and keys turned by their positions, where they are; none where positions are added. */
function turns(part: Part, q: View, k: View, back: boolean): Kernel[] {
  const { positions, tokens, context: length, attention, dtype } = part.model;
  if (positions.kind !== "turned") return [];
  const { headDim: dim } = attention;
  const turn = (x: View, heads: number) =>
    rotary({ tokens, length, heads, dim, dtype }, { x, base: positions.base, back });
  return [turn(q, attention.heads), turn(k, attention.keyValueHeads)];
}

/** Multiplications of attention without its projections, forward; scores above the diagonal count too. */
const scoreFlops = ({ model: { sequences, context, attention: a } }: Part): number =>
  4 * sequences * a.heads * context * context * a.headDim;

const projectionFlops = ({ model: { tokens, modelDim, attention: a } }: Part): number =>
  4 * tokens * modelDim * (a.heads + a.keyValueHeads) * a.headDim;

/** `h + attention(norm(h))`, and the norm of that for what follows. */
export function attentionForward(part: Part, index: number, second: string): Task {
  const { tokens, modelDim, dtype } = part.model;
  const b = blockBuffers(part, index);
  const name = `blocks.${index}.attention`;
  const first = normOf(part, `${name}.norm`);
  const next = normOf(part, second);
  const added = part.rows("added", modelDim);
  return part.work({
    label: "attention",
    flops: projectionFlops(part) + scoreFlops(part),
    words: 12 * tokens * modelDim,
    kernels: [
      norm(first.shape, { ...first, x: b.before, y: b.normed, statistics: b.statistics }),
      gemm(b.normed, part.parameter(`${name}.q`), b.q),
      gemm(b.normed, part.parameter(`${name}.k`), b.k),
      gemm(b.normed, part.parameter(`${name}.v`), b.v),
      ...turns(part, b.q, b.k, false),
      attend(sizesOf(part), { q: b.q, k: b.k, v: b.v, out: b.attended, logsum: b.logsum }),
      gemm(b.attended, part.parameter(`${name}.o`), added),
      add(tokens * modelDim, b.before, added, b.between, dtype),
      norm(next.shape, { ...next, x: b.between, y: b.x, statistics: b.xStatistics }),
    ],
  });
}

/** Adds what experts or feed-forward network made to the residuals. */
export function residualForward(part: Part, index: number): Task {
  const { tokens, modelDim, dtype } = part.model;
  const b = blockBuffers(part, index);
  const count = tokens * modelDim;
  return part.work({
    label: "residual",
    words: 3 * count,
    kernels: [add(count, b.between, b.y, b.after, dtype)],
  });
}

/**
 * Gradients from that of `x` back to the residuals before the block; gradients of the weights are a task of their own,
 * that others may go before.
 */
export function attentionBackward(
  part: Part,
  index: number,
  second: string,
): { readonly input: Task; readonly weights: Task } {
  const { tokens, modelDim, attention: a } = part.model;
  const b = blockBuffers(part, index);
  const { dh, dx } = gradientBuffers(part);
  const name = `blocks.${index}.attention`;
  const group = part.group(`blocks.${index}`);
  const first = normOf(part, `${name}.norm`), next = normOf(part, second);
  const rows = (of: string, columns: number) => part.rows(`blocks.${index}.${of}`, columns);
  const [queries, keys] = [a.heads * a.headDim, a.keyValueHeads * a.headDim];
  const dout = rows("dout", queries), dq = rows("dq", queries);
  const dk = rows("dk", keys), dv = rows("dv", keys), dnormed = rows("dnormed", modelDim);
  const weight = (of: string) => part.parameter(`${name}.${of}`);
  const gradient = (of: string) => part.gradient(group, `${name}.${of}`);
  const between = { dy: dx, x: b.between, statistics: b.xStatistics };
  const before = { dy: dnormed, x: b.before, statistics: b.statistics };
  const { q, k, v, attended: out, logsum } = b;
  const input = part.work({
    label: "attention",
    flops: projectionFlops(part) + 2.5 * scoreFlops(part),
    words: 20 * tokens * modelDim,
    kernels: [
      normGrad(next.shape, { ...between, weight: next.weight, dx: dh, add: true }),
      next.weightGrad(group.name, between),
      gemm(dh, weight("o"), dout, { transB: true }),
      gemm(b.attended, dh, gradient("o"), { transA: true }),
      attendGrad(sizesOf(part), { q, k, v, out, logsum, dout, dq, dk, dv }),
      ...turns(part, dq, dk, true),
      gemm(dq, weight("q"), dnormed, { transB: true }),
      gemm(dk, weight("k"), dnormed, { transB: true, add: true }),
      gemm(dv, weight("v"), dnormed, { transB: true, add: true }),
      normGrad(first.shape, { ...before, weight: first.weight, dx: dh, add: true }),
      first.weightGrad(group.name, before),
    ],
  });
  const weights = part.work({
    label: "attentionW",
    after: [input],
    stage: 1,
    kind: "expertWeightGrad",
    flops: projectionFlops(part),
    words: 8 * tokens * modelDim,
    kernels: [
      gemm(b.normed, dq, gradient("q"), { transA: true }),
      gemm(b.normed, dk, gradient("k"), { transA: true }),
      gemm(b.normed, dv, gradient("v"), { transA: true }),
    ],
  });
  return { input, weights };
}
