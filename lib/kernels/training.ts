/** Kernels around the layers of a model: embeddings, positions, norms, attention, loss. @module */
import {
  aFlag,
  aNumber,
  aSize,
  aView,
  expect,
  record,
  someSizes,
  someViews,
} from "../arguments/mod.ts";
import type { Kernel, View } from "../types.ts";
import { NONE, typeCode } from "./linear.ts";
import type { ElementType } from "./types.ts";

const EMBED_SHAPE = someSizes("tokens", "modelDim", "vocabulary", "length");
const EMBED_VIEWS = someViews("ids", "table", "positions?", "out");
const EMBED_GRAD_VIEWS = someViews("ids", "dy", "table", "positions?");
const ROTARY_SHAPE = someSizes("tokens", "length", "heads", "dim");
const ROTARY_OF = record("{ x, base, back }", { x: aView, base: aNumber, back: aFlag });
const NORM_SHAPE = someSizes("rows", "columns");
const NORM_VIEWS = someViews("x", "weight", "bias?", "y", "statistics");
const NORM_GRAD_VIEWS = someViews("dy", "x", "weight", "statistics", "dx");
const NORM_WEIGHT_GRAD_VIEWS = someViews("dy", "x", "statistics", "weight", "bias?");
const ATTEND_SHAPE = someSizes("batch", "length", "heads", "keyValueHeads", "headDim");
const ATTEND_VIEWS = someViews("q", "k", "v", "out", "logsum");
const ATTEND_GRAD_VIEWS = someViews("q", "k", "v", "out", "logsum", "dout", "dq", "dk", "dv");
const CROSS_ENTROPY_OF = record("{ rows, columns, logits, targets, loss, scale }", {
  rows: aSize,
  columns: aSize,
  logits: aView,
  targets: aView,
  loss: aView,
  scale: aNumber,
});

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
export function embed(
  shape: EmbeddingShape,
  views: { ids: View; table: View; positions?: View; out: View },
): Kernel {
  expect("embed", "shape", shape, EMBED_SHAPE);
  expect("embed", "views", views, EMBED_VIEWS);
  const { ids, table, positions = NONE, out } = views;
  return typed(shape.dtype, "embedding", [...embeddingSizes(shape), ids, table, positions, out]);
}

/** Gradients of table and positions (float32), written whole, summed in the order of tokens. */
export function embedGrad(
  shape: EmbeddingShape,
  views: { ids: View; dy: View; table: View; positions?: View },
): Kernel {
  expect("embedGrad", "shape", shape, EMBED_SHAPE);
  expect("embedGrad", "views", views, EMBED_GRAD_VIEWS);
  const { ids, dy, table, positions = NONE } = views;
  return typed(shape.dtype, "embedding_grad", [
    ...embeddingSizes(shape),
    ids,
    dy,
    table,
    positions,
  ]);
}

/**
 * Rotary positions in place on [tokens, heads * dim]: element i of a head and element i + dim / 2 turn by
 * position * base^(-2i / dim) (Su et al., "RoFormer", 2021). `back` turns a gradient the other way.
 */
export function rotary(
  shape:
    & Record<"tokens" | "length" | "heads" | "dim", number>
    & { dtype?: ElementType },
  of: { x: View; base: number; back: boolean },
): Kernel {
  expect("rotary", "shape", shape, ROTARY_SHAPE);
  expect("rotary", "of", of, ROTARY_OF);
  const { tokens, length, heads, dim, dtype } = shape;
  const { x, base, back } = of;
  return typed(dtype, "rotary", [tokens, length, heads, dim, x, base, Number(back)]);
}

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
export function norm(
  shape: NormShape,
  views:
    & Record<"x" | "weight" | "y" | "statistics", View>
    & { bias?: View; epsilon: number },
): Kernel {
  expect("norm", "shape", shape, NORM_SHAPE);
  expect("norm", "views", views, NORM_VIEWS);
  const { x, weight, bias = NONE, y, statistics, epsilon } = views;
  return typed(shape.dtype, "norm", [...normSizes(shape), x, weight, bias, y, statistics, epsilon]);
}

/** Gradient of the input of {@linkcode norm}, added to `dx` or written there. */
export function normGrad(
  shape: NormShape,
  views:
    & Record<"dy" | "x" | "weight" | "statistics" | "dx", View>
    & { add: boolean },
): Kernel {
  expect("normGrad", "shape", shape, NORM_SHAPE);
  expect("normGrad", "views", views, NORM_GRAD_VIEWS);
  const { dy, x, weight, statistics, dx, add } = views;
  return typed(shape.dtype, "norm_grad", [
    ...normSizes(shape),
    dy,
    x,
    weight,
    statistics,
    dx,
    Number(add),
  ]);
}

/** Gradients of weight and bias of {@linkcode norm}, written whole, summed in the order of rows. */
export function normWeightGrad(
  shape: NormShape,
  views:
    & Record<"dy" | "x" | "statistics" | "weight", View>
    & { bias?: View },
): Kernel {
  expect("normWeightGrad", "shape", shape, NORM_SHAPE);
  expect("normWeightGrad", "views", views, NORM_WEIGHT_GRAD_VIEWS);
  const { dy, x, statistics, weight, bias = NONE } = views;
  return typed(shape.dtype, "norm_weight_grad", [
    ...normSizes(shape),
    dy,
    x,
    statistics,
    weight,
    bias,
  ]);
}

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
export function attend(
  shape: AttentionShape,
  views: Record<"q" | "k" | "v" | "out" | "logsum", View>,
): Kernel {
  expect("attend", "shape", shape, ATTEND_SHAPE);
  expect("attend", "views", views, ATTEND_VIEWS);
  const { q, k, v, out, logsum } = views;
  return typed(shape.dtype, "attention", [
    ...attentionSizes(shape),
    q,
    k,
    v,
    out,
    logsum,
    shape.headDim ** -0.5,
  ]);
}

/** Gradients of queries, keys and values of {@linkcode attend}. */
export function attendGrad(
  shape: AttentionShape,
  views: Record<
    "q" | "k" | "v" | "out" | "logsum" | "dout" | "dq" | "dk" | "dv",
    View
  >,
): Kernel {
  expect("attendGrad", "shape", shape, ATTEND_SHAPE);
  expect("attendGrad", "views", views, ATTEND_GRAD_VIEWS);
  const { q, k, v, out, logsum, dout, dq, dk, dv } = views;
  return typed(shape.dtype, "attention_grad", [
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
}

/** `out = a + b`; out may be one of them. */
export function add(count: number, a: View, b: View, out: View, dtype?: ElementType): Kernel {
  expect("add", "count", count, aSize);
  expect("add", "a", a, aView);
  expect("add", "b", b, aView);
  expect("add", "out", out, aView);
  return typed(dtype, "add", [count, a, b, out]);
}

/**
 * `loss[row] = -log softmax(logits)[target]` (targets are int32); the logits [rows, columns] become `scale`
 * times their gradient.
 */
export function crossEntropy(of: {
  dtype?: ElementType;
  rows: number;
  columns: number;
  logits: View;
  targets: View;
  loss: View;
  scale: number;
}): Kernel {
  expect("crossEntropy", "of", of, CROSS_ENTROPY_OF);
  const { rows, columns, logits, targets, loss, scale, dtype } = of;
  return typed(dtype, "cross_entropy", [rows, columns, logits, targets, loss, scale]);
}
