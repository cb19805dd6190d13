/** The kernel by which an expert takes the weights of choices into account. @module */
import { aFlag, aMatrix, expect, maybe, options } from "../arguments/mod.ts";
import type { Matrix } from "./types.ts";
import { type Kernel, SchemoeError, type View } from "../types.ts";
import { commonRows, extent, NONE, place, withRows } from "./linear.ts";

const WEIGH_ROWS_OF = options({
  d: aMatrix,
  weights: aMatrix,
  dots: maybe(aMatrix),
  rows: maybe(aMatrix),
  vector: maybe(aMatrix),
  add: maybe(aFlag),
});

/** What {@linkcode weighRows} takes. */
export interface WeighRows {
  /** Gradients of rows, [rows, columns], which are multiplied by their weights in place. */
  readonly d: Matrix;
  /** Weight of each row, float32 [rows, 1]. */
  readonly weights: Matrix;
  /** Dot product of each row with that of `rows`, or with `vector`, float32 [rows, 1]. */
  readonly dots?: Matrix;
  /** Rows of the type and shape of `d`. */
  readonly rows?: Matrix;
  /** One row for each group, of the type of `d`: [1, columns]. */
  readonly vector?: Matrix;
  /** Whether dots are added to what is there; default false. */
  readonly add?: boolean;
}

/**
 * `dots[i] = (add ? dots[i] : 0) + d[i] . rows[i]`, or `d[i] . vector`, added in float64, then `d[i] *= weights[i]`:
 * without `rows` and `vector` the weights alone. Of an expert whose outputs are multiplied by `weights`, with its
 * activation as `rows` and the gradient of that as `d`, the dots are the gradients of the weights (SonicMoE, arXiv
 * 2512.14080).
 *
 * ```ts
 * import { weighRows } from "@schemoe/lab/kernels";
 * const matrix = (buffer: string, columns: number) =>
 *   ({ buffer, offset: 0, rows: 4, columns, ld: columns, groups: 1, stride: 4 * columns });
 * const [d, rows] = [matrix("dA", 8), matrix("A", 8)];
 * const kernel = weighRows({ d, rows, weights: matrix("w", 1), dots: matrix("dw", 1) });
 * console.assert(kernel.name === "weigh_rows");
 * ```
 * @throws {SchemoeError} unless there is one factor where there are dots, and none where there are not, and for columns
 * that do not fit.
 */
export function weighRows(of: WeighRows): Kernel {
  expect("weighRows", "of", of, WEIGH_ROWS_OF);
  const { d, weights, dots, rows, vector, add = false } = of;
  const fail = (problem: string): never => {
    throw new SchemoeError(`Cannot weigh the rows of "${d.buffer}": ${problem}`);
  };
  const factors = Number(rows !== undefined) + Number(vector !== undefined);
  if (factors !== Number(dots !== undefined)) fail("give dots with rows or a vector, or neither");
  for (const factor of [rows, vector]) {
    if (factor && factor.columns !== d.columns) {
      fail(`its rows have ${d.columns} columns, those of "${factor.buffer}" ${factor.columns}`);
    }
  }
  for (const column of [weights, dots]) {
    if (column && (column.columns !== 1 || column.ld !== 1)) {
      fail(`"${column.buffer}" must have one column`);
    }
  }
  const [, , stride] = place(weights);
  if (dots && place(dots)[2] !== stride) {
    fail(`groups of "${dots.buffer}" and "${weights.buffer}" must lie equally far apart`);
  }
  const factor = rows ? place(rows) : [NONE, 0, 0] as const;
  const vectors = vector ? [vector as View, vector.stride] as const : [NONE, 0] as const;
  const columns = [weights as View, (dots ?? NONE) as View, stride, Number(add)] as const;
  const alike = [d, weights, ...(rows ? [rows] : []), ...(dots ? [dots] : [])];
  return withRows(
    "weigh_rows",
    [...extent(d), ...place(d), ...factor, ...vectors, ...columns],
    commonRows("weigh rows", alike),
  );
}
