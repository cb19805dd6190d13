/** Kernels of experts without computation, and of rows that a gate of their own scales. @module */
import type { ElementType } from "./types.ts";
import type { Kernel, View } from "../types.ts";
import { NONE, typeCode } from "./linear.ts";

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
export const addIdentity = (
  shape: IdentityShape,
  { from, choices, weights, to }: Record<"from" | "choices" | "weights" | "to", View>,
): Kernel => ({ name: "add_identity", args: [...head(shape), from, choices, weights, to] });

/** out[token, choice] = dot(a[token], b[token]) for choices without computation; others stay. */
export const identityDots = (
  shape: IdentityShape,
  { a, b, choices, out }: Record<"a" | "b" | "choices" | "out", View>,
): Kernel => ({ name: "identity_dots", args: [...head(shape), a, b, choices, out] });

/**
 * y += sigmoid(logits[token]) * rows[token]; or with gradients, y then being that of the sum: dRows =
 * sigmoid * y, and that of the logits.
 */
export const gatedRows = (
  { dtype, tokens, columns }: Omit<IdentityShape, "experts" | "k">,
  views: Record<"logits" | "rows" | "y", View> & { dRows?: View; dLogits?: View },
): Kernel => ({
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
});
