/** Matrix products, biases, activations and their gradients. @module */
import { aFlag, aMatrix, expect, maybe, options, record } from "../arguments/mod.ts";
import type { ElementType, Matrix, RowRange } from "./types.ts";
import { type CountedRows, type Kernel, SchemoeError, type View } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

const GEMM_OPTIONS = options({
  transA: maybe(aFlag),
  transB: maybe(aFlag),
  add: maybe(aFlag),
  bias: maybe(aMatrix),
  relu: maybe(aFlag),
});
const MAYBE_MATRIX = maybe(aMatrix);
const GLU_GRAD_MATRICES = record("matrices { dy, a, b, da, db }", {
  dy: aMatrix,
  a: aMatrix,
  b: aMatrix,
  da: aMatrix,
  db: aMatrix,
});
const COLUMN_SUM_OPTIONS = record("options { add }", { add: maybe(aFlag) });

/**
 * Element-wise functions between the two products of an expert, by their native number. NaN stays NaN in all;
 * infinities are those of PyTorch: of -inf, GELU and SiLU are NaN (-inf times 0, though the limit is 0), as are
 * their slopes at both infinities.
 */
export const ACTIVATIONS = {
  ...{ identity: 0, relu: 1, gelu: 2, geluTanh: 3, silu: 4 },
  /** max(x, 0)^2 (So et al., "Primer", arXiv 2109.08668). */
  reluSquared: 5,
} as const;
/** Name of an activation. */
export type Activation = keyof typeof ACTIVATIONS;

/** How {@linkcode glu} combines its arguments: activation(a) * b, or the clamped one of gpt-oss. */
export type Gluing = Activation | "clampedSwiglu" | "limitedSwiglu";
const OF_TWO: Readonly<Record<string, number>> = { clampedSwiglu: 6, limitedSwiglu: 7 };
/** Number of a way to combine. @throws {SchemoeError} for an unknown name. */
export const gluCode = (name: Gluing): number =>
  typeof name === "string" && Object.hasOwn(OF_TWO, name)
    ? OF_TWO[name]
    : activationCode(name as Activation);

/** Absent argument where a kernel allows it. */
export const NONE: View = { buffer: "", offset: 0 };

/** Number of an element type in the native library. */
export const typeCode = (dtype: ElementType = "float32"): number => dtype === "bfloat16" ? 1 : 0;
const isRagged = ({ ranges, counted }: Matrix): boolean => (ranges ?? counted) !== undefined;
/** A matrix among the arguments of a kernel. */
export const place = (m: Matrix) => [m as View, m.ld, isRagged(m) ? 0 : m.stride] as const;
/** Its type and sizes. */
export const extent = (m: Matrix) => [typeCode(m.dtype), m.groups, m.rows, m.columns] as const;

/** First row and rows of each group, by their ranges. */
const known = new WeakMap<readonly RowRange[], Int32Array>();

/** Further arguments of ragged groups: first row and rows of each, or whose they are. */
function rowsOf({ ranges, counted }: Matrix): Int32Array | CountedRows | undefined {
  if (!ranges) return counted;
  let rows = known.get(ranges);
  if (!rows) {
    known.set(ranges, rows = new Int32Array(2 * ranges.length));
    for (let i = 0; i < ranges.length; i++) {
      rows[2 * i] = ranges[i].first;
      rows[2 * i + 1] = ranges[i].rows;
    }
  }
  return rows;
}

/** A kernel with the rows of its groups. */
export function withRows(
  name: string,
  args: Kernel["args"],
  rows: Int32Array | CountedRows | undefined,
): Kernel {
  if (!rows) return { name, args };
  return rows instanceof Int32Array ? { name, args, more: rows } : { name, args, counted: rows };
}

/** The same, of matrices that must agree. @throws {SchemoeError} when they do not. */
export function commonRows(what: string, [first, ...others]: readonly Matrix[]) {
  const rows = rowsOf(first);
  for (const other of others) {
    if (other.ranges === first.ranges && other.counted === first.counted) continue;
    if (isSame(rows, rowsOf(other))) continue;
    throw new SchemoeError(
      `Cannot ${what}: the groups of "${first.buffer}" and "${other.buffer}" have other rows`,
    );
  }
  return rows;
}

const isSame = (a: ReturnType<typeof rowsOf>, b: typeof a): boolean =>
  a instanceof Int32Array && b instanceof Int32Array && a.length === b.length &&
  a.every((value, i) => value === b[i]);

/** Number of an activation. @throws {SchemoeError} for an unknown name. */
export function activationCode(name: Activation): number {
  if (typeof name !== "string" || !Object.hasOwn(ACTIVATIONS, name)) {
    throw new SchemoeError(
      `Unknown activation ${quoted(name)}: choose one of ${Object.keys(ACTIVATIONS).join(", ")}${
        didYouMean(name, Object.keys(ACTIVATIONS))
      }`,
    );
  }
  return ACTIVATIONS[name];
}

/**
 * `c = op(a) op(b) + (add ? c : 0) + bias` for each group, rounded once; with `relu` values not above 0
 * becomes 0. The bias [groups, columns] has the type of c.
 * @throws {SchemoeError} when the shapes do not fit.
 */
export function gemm(a: Matrix, b: Matrix, c: Matrix, options: {
  transA?: boolean;
  transB?: boolean;
  add?: boolean;
  bias?: Matrix;
  relu?: boolean;
} = {}): Kernel {
  expect("gemm", "a", a, aMatrix);
  expect("gemm", "b", b, aMatrix);
  expect("gemm", "c", c, aMatrix);
  expect("gemm", "options", options, GEMM_OPTIONS);
  const { transA = false, transB = false, add = false, bias, relu = false } = options;
  const [m, k] = transA ? [a.columns, a.rows] : [a.rows, a.columns];
  const [bk, n] = transB ? [b.columns, b.rows] : [b.rows, b.columns];
  if (
    k !== bk || c.rows !== m || c.columns !== n || a.groups !== c.groups || b.groups !== c.groups
  ) {
    throw new SchemoeError(
      `Cannot multiply: ${a.groups} x [${m}, ${k}] times ${b.groups} x [${bk}, ${n}] into ` +
        `${c.groups} x [${c.rows}, ${c.columns}]`,
    );
  }
  const head = [
    factorCode(a, b),
    typeCode(c.dtype),
    Number(transA),
    Number(transB),
    c.groups,
    m,
    n,
    k,
  ];
  const after = [bias ?? NONE, bias?.stride ?? 0, Number(relu)] as const;
  const args = [...head, ...place(a), ...place(b), ...place(c), 1, Number(add), ...after];
  if (!isRagged(a) && !isRagged(b) && !isRagged(c)) return { name: "gemm", args };
  const [together, apart] = transA ? [[a, b], c] : [[a, c], b];
  if (isRagged(apart) || (transA && transB)) {
    throw new SchemoeError(
      "Cannot multiply: where groups have rows of their own these must be the rows of a and c, or with " +
        `transA those of a and b; "${apart.buffer}" does not fit`,
    );
  }
  return withRows("gemm_groups", args, commonRows("multiply", together));
}

/** Types of two factors: both float32 or bfloat16 (0, 1), or one of each (2: the first is bfloat16). */
const factorCode = (a: Matrix, b: Matrix): number =>
  [[0, 3], [2, 1]][typeCode(a.dtype)][typeCode(b.dtype)];

/** `x += bias` in place (bias of shape [groups, columns], or {@linkcode NONE}), then `y = activation(x)`. */
export function biasActivation(
  x: Matrix,
  bias: Matrix | undefined,
  y: Matrix | undefined,
  activation: Activation = "identity",
): Kernel {
  expect("biasActivation", "x", x, aMatrix);
  expect("biasActivation", "bias", bias, MAYBE_MATRIX);
  expect("biasActivation", "y", y, MAYBE_MATRIX);
  const target = y ? place(y) : [NONE, 0, 0] as const;
  const added = bias ? [bias as View, bias.stride] as const : [NONE, 0] as const;
  return withRows(
    "bias_act",
    [...extent(x), ...place(x), ...added, ...target, activationCode(activation)],
    commonRows("add the bias", y ? [x, y] : [x]),
  );
}

/** `dx = dy * activation'(x)`; dx may be dy. */
export function activationGrad(dy: Matrix, x: Matrix, dx: Matrix, activation: Activation): Kernel {
  expect("activationGrad", "dy", dy, aMatrix);
  expect("activationGrad", "x", x, aMatrix);
  expect("activationGrad", "dx", dx, aMatrix);
  return withRows(
    "act_grad",
    [...extent(x), ...place(dy), ...place(x), ...place(dx), activationCode(activation)],
    commonRows("take the gradient", [x, dy, dx]),
  );
}

/** `y = activation(a) * b`. */
export function glu(a: Matrix, b: Matrix, y: Matrix, activation: Gluing): Kernel {
  expect("glu", "a", a, aMatrix);
  expect("glu", "b", b, aMatrix);
  expect("glu", "y", y, aMatrix);
  return withRows(
    "glu",
    [...extent(a), ...place(a), ...place(b), ...place(y), gluCode(activation)],
    commonRows("multiply", [a, b, y]),
  );
}

/** Gradients of {@linkcode glu}. */
export function gluGrad(
  of: Record<"dy" | "a" | "b" | "da" | "db", Matrix>,
  activation: Gluing,
): Kernel {
  expect("gluGrad", "of", of, GLU_GRAD_MATRICES);
  const { dy, a, b, da, db } = of;
  const matrices = [dy, a, b, da, db];
  return withRows(
    "glu_grad",
    [...extent(a), ...matrices.flatMap(place), gluCode(activation)],
    commonRows("take the gradient", matrices),
  );
}

/** `out[group] = (add ? out : 0) + sum of the rows of x`, in row order. */
export function columnSum(
  x: Matrix,
  out: Matrix,
  options: { readonly add?: boolean } = {},
): Kernel {
  expect("columnSum", "x", x, aMatrix);
  expect("columnSum", "out", out, aMatrix);
  expect("columnSum", "options", options, COLUMN_SUM_OPTIONS);
  const { add = false } = options;
  return withRows(
    "column_sum",
    [...extent(x), ...place(x), out as View, out.stride, Number(add)],
    rowsOf(x),
  );
}
