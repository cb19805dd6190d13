/** Kernels of experts without computation, and of rows that a gate of their own scales. @module */
import { expect, someSizes, someViews } from "../arguments/mod.ts";
import type { ElementType } from "./types.ts";
import type { Kernel, View } from "../types.ts";
import { NONE, typeCode } from "./linear.ts";

const IDENTITY_SHAPE = someSizes("tokens", "columns", "experts", "k");
const ADD_IDENTITY_VIEWS = someViews("from", "choices", "weights", "to");
const IDENTITY_DOTS_VIEWS = someViews("a", "b", "choices", "out");
const GATED_ROWS_SHAPE = someSizes("tokens", "columns");
const GATED_ROWS_VIEWS = someViews("logits", "rows", "y", "dRows?", "dLogits?");

/** Tokens and choices, of which those from `experts` on return their input. */
export interface IdentityShape {
  /** Type of tokens and rows; default `float32`. */
  readonly dtype?: ElementType;
  /** Tokens of the rank. */
  readonly tokens: number;
  /** Values of a token. */
  readonly columns: number;
  /** Experts with computation; choices from this number on return their input. */
  readonly experts: number;
  /** Choices of a token. */
  readonly k: number;
}

const head = (s: IdentityShape) => [typeCode(s.dtype), s.tokens, s.columns, s.experts, s.k];

/** to += from * (sum of the weights of choices without computation), token by token. */
export function addIdentity(
  shape: IdentityShape,
  views: Record<"from" | "choices" | "weights" | "to", View>,
): Kernel {
  expect("addIdentity", "shape", shape, IDENTITY_SHAPE);
  expect("addIdentity", "views", views, ADD_IDENTITY_VIEWS);
  const { from, choices, weights, to } = views;
  return { name: "add_identity", args: [...head(shape), from, choices, weights, to] };
}

/** out[token, choice] = dot(a[token], b[token]) for choices without computation; others stay. */
export function identityDots(
  shape: IdentityShape,
  views: Record<"a" | "b" | "choices" | "out", View>,
): Kernel {
  expect("identityDots", "shape", shape, IDENTITY_SHAPE);
  expect("identityDots", "views", views, IDENTITY_DOTS_VIEWS);
  const { a, b, choices, out } = views;
  return { name: "identity_dots", args: [...head(shape), a, b, choices, out] };
}

/**
 * y += sigmoid(logits[token]) * rows[token]; or with gradients, y then being that of the sum: dRows =
 * sigmoid * y, and that of the logits.
 */
export function gatedRows(
  shape: Omit<IdentityShape, "experts" | "k">,
  views: Record<"logits" | "rows" | "y", View> & { dRows?: View; dLogits?: View },
): Kernel {
  expect("gatedRows", "shape", shape, GATED_ROWS_SHAPE);
  expect("gatedRows", "views", views, GATED_ROWS_VIEWS);
  const { dtype, tokens, columns } = shape;
  return {
    name: "gated_rows",
    args: [
      typeCode(dtype),
      tokens,
      columns,
      views.logits,
      views.rows,
      views.y,
      views.dRows ?? NONE,
      views.dLogits ?? NONE,
    ],
  };
}
