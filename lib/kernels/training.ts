/** Kernels around the layers of a model: embeddings, positions, norms, attention, loss. @module */
import type { Kernel, View } from "../types.ts";
import { NONE, typeCode } from "./linear.ts";
import type { ElementType } from "./types.ts";

/** The kernel on elements of a type, which is its last argument where it is not float32. */
const typed = (dtype: ElementType | undefined, name: string, args: Kernel["args"]): Kernel =>
  dtype === undefined || dtype === "float32"
    ? { name, args }
    : { name, args, more: Int32Array.of(typeCode(dtype)) };

/** Of the activations (and of a table of embeddings, and logits); default float32. Everything else is float32. */
export interface Typed {
  /** Type of the elements; default float32. */
  readonly dtype?: ElementType;
}

/** Tokens of whole sequences and the sizes of their embedding. */
export interface EmbeddingShape extends Typed {
  /** Tokens of all sequences, a multiple of `length`. */
  readonly tokens: number;
  /** Width of a token. */
  readonly modelDim: number;
  /** Rows of the table of embeddings. */
  readonly vocabulary: number;
  /** Tokens of a sequence. */
  readonly length: number;
}

const embeddingSizes = ({ tokens, modelDim, vocabulary, length }: EmbeddingShape) => [
  tokens,
  modelDim,
  vocabulary,
  length,
];

/** `out[t] = table[ids[t]] + positions[t % length]`; ids are int32. */
export const embed = (
  shape: EmbeddingShape,
  { ids, table, positions = NONE, out }: { ids: View; table: View; positions?: View; out: View },
): Kernel =>
  typed(shape.dtype, "embedding", [...embeddingSizes(shape), ids, table, positions, out]);

/** Gradients of table and positions (float32), written whole, summed in the order of tokens. */
export const embedGrad = (
  shape: EmbeddingShape,
  { ids, dy, table, positions = NONE }: { ids: View; dy: View; table: View; positions?: View },
): Kernel =>
  typed(shape.dtype, "embedding_grad", [...embeddingSizes(shape), ids, dy, table, positions]);

/**
 * Rotary positions in place on [tokens, heads * dim]: element i of a head and element i + dim / 2 turn by
 * position * base^(-2i / dim) (Su et al., "RoFormer", 2021). `back` turns a gradient the other way.
 */
export const rotary = (
  { tokens, length, heads, dim, dtype }:
    & Record<"tokens" | "length" | "heads" | "dim", number>
    & { dtype?: ElementType },
  { x, base, back }: { x: View; base: number; back: boolean },
): Kernel => typed(dtype, "rotary", [tokens, length, heads, dim, x, base, Number(back)]);

/** Rows of a norm; `centered`: LayerNorm (Ba et al., 2016), otherwise RMSNorm (Zhang and Sennrich, NeurIPS'19). */
export interface NormShape extends Typed {
  /** Whether the mean is subtracted. */
  readonly centered: boolean;
  /** Rows, each normalized by itself. */
  readonly rows: number;
  /** Values of a row. */
  readonly columns: number;
}

const normSizes = ({ centered, rows, columns }: NormShape) => [Number(centered), rows, columns];

/** `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`; `statistics` is [rows, 2]. */
export const norm = (
  shape: NormShape,
  { x, weight, bias = NONE, y, statistics, epsilon }:
    & Record<"x" | "weight" | "y" | "statistics", View>
    & { bias?: View; epsilon: number },
): Kernel =>
  typed(shape.dtype, "norm", [...normSizes(shape), x, weight, bias, y, statistics, epsilon]);

/** Gradient of the input of {@linkcode norm}, added to `dx` or written there. */
export const normGrad = (
  shape: NormShape,
  { dy, x, weight, statistics, dx, add }:
    & Record<"dy" | "x" | "weight" | "statistics" | "dx", View>
    & { add: boolean },
): Kernel =>
  typed(shape.dtype, "norm_grad", [
    ...normSizes(shape),
    dy,
    x,
    weight,
    statistics,
    dx,
    Number(add),
  ]);

/** Gradients of weight and bias of {@linkcode norm}, written whole, summed in the order of rows. */
export const normWeightGrad = (
  shape: NormShape,
  { dy, x, statistics, weight, bias = NONE }:
    & Record<"dy" | "x" | "statistics" | "weight", View>
    & { bias?: View },
): Kernel =>
  typed(shape.dtype, "norm_weight_grad", [...normSizes(shape), dy, x, statistics, weight, bias]);

/** Sizes of causal attention; `heads / keyValueHeads` neighbouring heads share keys and values. */
export interface AttentionShape extends Typed {
  /** Sequences. */
  readonly batch: number;
  /** Tokens of a sequence. */
  readonly length: number;
  /** Heads of queries, a multiple of `keyValueHeads`. */
  readonly heads: number;
  /** Heads of keys and values. */
  readonly keyValueHeads: number;
  /** Values of a head. */
  readonly headDim: number;
}

const attentionSizes = (shape: AttentionShape) => [
  shape.batch,
  shape.length,
  shape.heads,
  shape.keyValueHeads,
  shape.headDim,
];

/**
 * Causal attention with scores q k / sqrt(headDim). `logsum` [batch, heads, length] is kept for the gradient.
 * Time is quadratic in the length, memory linear.
 */
export const attend = (
  shape: AttentionShape,
  { q, k, v, out, logsum }: Record<"q" | "k" | "v" | "out" | "logsum", View>,
): Kernel =>
  typed(shape.dtype, "attention", [
    ...attentionSizes(shape),
    q,
    k,
    v,
    out,
    logsum,
    shape.headDim ** -0.5,
  ]);

/** Gradients of queries, keys and values of {@linkcode attend}. */
export const attendGrad = (
  shape: AttentionShape,
  { q, k, v, out, logsum, dout, dq, dk, dv }: Record<
    "q" | "k" | "v" | "out" | "logsum" | "dout" | "dq" | "dk" | "dv",
    View
  >,
): Kernel =>
  typed(shape.dtype, "attention_grad", [
    ...attentionSizes(shape),
    q,
    k,
    v,
    out,
    logsum,
    dout,
    dq,
    dk,
    dv,
    shape.headDim ** -0.5,
  ]);

/** `out = a + b`; out may be one of them. */
export const add = (
  count: number,
  a: View,
  b: View,
  out: View,
  dtype?: ElementType,
): Kernel => typed(dtype, "add", [count, a, b, out]);

/**
 * `loss[row] = -log softmax(logits)[target]` (targets are int32); the logits [rows, columns] become `scale`
 * times their gradient.
 */
export const crossEntropy = (
  { rows, columns, logits, targets, loss, scale, dtype }: {
    dtype?: ElementType;
    rows: number;
    columns: number;
    logits: View;
    targets: View;
    loss: View;
    scale: number;
  },
): Kernel => typed(dtype, "cross_entropy", [rows, columns, logits, targets, loss, scale]);
