/** Rows of matrices in JavaScript: what functions of experts, gates and losses read and write. @module */
import {
  aFunction,
  aMatrix,
  aSize,
  aView,
  expect,
  maybe,
  oneOf,
  record,
} from "../arguments/mod.ts";
import { bfloat16Of, floatsOfBfloat16 } from "../bfloat16.ts";
import { type HostContext, SchemoeError, type View } from "../types.ts";
import { quoted } from "../words.ts";
import type { ElementType, Matrix } from "./types.ts";

const HOST_CONTEXT = record("the context of a host function { rank, read, write }", {
  read: aFunction,
  write: aFunction,
});
const MATRIX_DTYPE = maybe(oneOf(["float32", "bfloat16"]));

/**
 * The matrix [rows, columns] that lies in a buffer row after row, such as a tensor of a gate.
 *
 * ```ts
 * import { matrixOf } from "@schemoe/lab/kernels";
 * console.assert(matrixOf({ buffer: "w", offset: 0 }, 4, 8).ld === 8);
 * ```
 */
export function matrixOf(view: View, rows: number, columns: number, dtype?: ElementType): Matrix {
  expect("matrixOf", "view", view, aView);
  expect("matrixOf", "rows", rows, aSize);
  expect("matrixOf", "columns", columns, aSize);
  expect("matrixOf", "dtype", dtype, MATRIX_DTYPE);
  const { buffer, offset } = view;
  const whole = { rows, columns, ld: columns, groups: 1, stride: rows * columns };
  return { buffer, offset, ...(dtype === undefined ? {} : { dtype }), ...whole };
}

/**
 * Rows of a group of a matrix: of an expert that of a chunk, of which there may be none.
 *
 * ```ts
 * import { matrixOf, rowsOfGroup } from "@schemoe/lab/kernels";
 * console.assert(rowsOfGroup(matrixOf({ buffer: "w", offset: 0 }, 4, 8)) === 4);
 * ```
 * @throws {SchemoeError} for a group that there is not, and where rows are counted as a Program runs.
 */
export function rowsOfGroup(matrix: Matrix, group = 0): number {
  expect("rowsOfGroup", "matrix", matrix, aMatrix);
  expect("rowsOfGroup", "group", group, aSize);
  const { buffer, counted, groups, ranges, rows } = matrix;
  if (counted) fail("tell the rows of", buffer, "they are counted as the Program runs");
  if (group >= groups) {
    fail("tell the rows of", buffer, `it has ${groups} groups, not ${group + 1}`);
  }
  return ranges ? ranges[group].rows : rows;
}

/**
 * The values [rows, columns] of a group of a matrix, as floats also where they are bfloat16.
 *
 * ```ts
 * import { readRows, rowsOfGroup, writeRows } from "@schemoe/lab/kernels";
 * import { createLayer, openEngine } from "@schemoe/lab";
 * import type { Expert } from "@schemoe/lab/blocks";
 * const half: Expert = {
 *   name: "half",
 *   parameters: () => [],
 *   saved: () => [],
 *   forward: ({ x, y, experts, host }) => [
 *     host((at) => {
 *       for (let e = 0; e < experts; e++) writeRows(at, y, e, readRows(at, x, e).map((v) => v / 2));
 *     }),
 *   ],
 *   flops: ({ modelDim }) => ({ forward: modelDim, inputGrad: 0, weightGrad: 0 }),
 * };
 * using engine = openEngine({ nodes: 1, ranksPerNode: 2 });
 * using layer = createLayer(engine, { tokens: 8, modelDim: 4, hiddenDim: 8, experts: 2, expert: half });
 * console.assert((await layer.forward()).makespan > 0);
 * ```
 * @throws {SchemoeError} as `rowsOfGroup` does.
 */
export function readRows(at: HostContext, matrix: Matrix, group = 0): Float32Array<ArrayBuffer> {
  expect("readRows", "at", at, HOST_CONTEXT);
  const rows = rowsOfGroup(matrix, group);
  const { columns, ld } = matrix;
  if (rows === 0) return new Float32Array(0);
  const bytes = at.read(viewOf(matrix, group), sizeOf(matrix) * ((rows - 1) * ld + columns));
  const values = matrix.dtype === "bfloat16"
    ? floatsOfBfloat16(new Uint16Array(bytes.buffer))
    : new Float32Array(bytes.buffer);
  if (ld === columns) return values;
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    dense.set(values.subarray(row * ld, row * ld + columns), row * columns);
  }
  return dense;
}

/**
 * Writes the values [rows, columns] of a group of a matrix, rounded to nearest where it is bfloat16. What lies between
 * its rows stays as it is. An example is at {@linkcode readRows}.
 * @throws {SchemoeError} for another number of values, and as `rowsOfGroup` does.
 */
export function writeRows(
  at: HostContext,
  matrix: Matrix,
  group: number,
  values: Float32Array,
): void {
  expect("writeRows", "at", at, HOST_CONTEXT);
  const rows = rowsOfGroup(matrix, group);
  const { buffer, columns, ld } = matrix;
  if (!(values instanceof Float32Array) || values.length !== rows * columns) {
    const wanted = `${rows * columns}, ${rows} rows of ${columns}`;
    fail(
      "write rows of",
      buffer,
      `values must be a Float32Array of ${wanted}, got ${quoted(values)}`,
    );
  }
  if (rows === 0) return;
  const stored = matrix.dtype === "bfloat16" ? bfloat16Of(values) : values;
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  const view = viewOf(matrix, group);
  if (ld === columns) return at.write(view, bytes);
  const [length, step] = [sizeOf(matrix) * columns, sizeOf(matrix) * ld];
  for (let row = 0; row < rows; row++) {
    const target = { ...view, offset: view.offset + step * row };
    at.write(target, bytes.subarray(length * row, length * (row + 1)));
  }
}

/** Bytes of an element. */
const sizeOf = ({ dtype }: Matrix): number => dtype === "bfloat16" ? 2 : 4;

const viewOf = (matrix: Matrix, group: number): View => {
  const { buffer, offset, stride, ranges, ld } = matrix;
  const first = ranges ? ranges[group].first * ld : group * stride;
  return { buffer, offset: offset + sizeOf(matrix) * first };
};

function fail(what: string, buffer: string, problem: string): never {
  throw new SchemoeError(`Cannot ${what} the matrix "${buffer}": ${problem}`);
}
