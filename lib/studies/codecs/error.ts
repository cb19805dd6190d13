/** Errors of values relative to a reference. @module */
import { aCount, anyNumber, expect, numbersOf } from "../../arguments/mod.ts";

const VALUES = numbersOf(anyNumber);

/** Of values in rows, against the right ones. */
export interface ValueError {
  /** Root of the mean square of the differences over that of the right values. */
  readonly rmse: number;
  /** The same of the row where it is largest; rows that should be zero are left out. */
  readonly worstRow: number;
  /** Cosine of the angle between both as vectors; 1 where all are right. */
  readonly cosine: number;
}

/**
 * Differences of values from the right ones, rows of `columns`.
 *
 * ```ts
 * import { valueError } from "@schemoe/lab/studies";
 * const { rmse } = valueError(Float32Array.of(3, 4.5), Float32Array.of(3, 4), 2);
 * console.assert(rmse === 0.1);
 * ```
 */
export function valueError(got: Float32Array, right: Float32Array, columns: number): ValueError {
  expect("valueError", "got", got, VALUES);
  expect("valueError", "right", right, VALUES);
  expect("valueError", "columns", columns, aCount);
  let [squares, differences, products, others, worst] = [0, 0, 0, 0, 0];
  for (let begin = 0; begin < right.length; begin += columns) {
    let [row, off] = [0, 0];
    for (let i = begin; i < Math.min(begin + columns, right.length); i++) {
      row += right[i] ** 2;
      off += (got[i] - right[i]) ** 2;
      products += got[i] * right[i];
      others += got[i] ** 2;
    }
    squares += row;
    differences += off;
    if (row !== 0) worst = Math.max(worst, Math.sqrt(off / row));
  }
  const size = Math.sqrt(squares * others);
  return {
    rmse: differences === 0 ? 0 : Math.sqrt(differences / squares),
    worstRow: worst,
    cosine: differences === 0 ? 1 : products / size,
  };
}
