/**
 * Rows of one group of a matrix, in and out of a rank's buffers.
 * @module
 */
import type { HostContext } from "../../types.ts";
import type { Matrix } from "../../kernels/types.ts";

const WORD = 4;

/** Rows that a group has. */
export const rowsOfGroup = ({ rows, ranges }: Matrix, group: number): number =>
  ranges ? ranges[group].rows : rows;

/** Bytes from the first to the last element of so many rows. */
const span = (rows: number, { columns, ld }: Matrix): number => WORD * ((rows - 1) * ld + columns);

const groupView = ({ buffer, offset, stride, ranges, ld }: Matrix, group: number) => ({
  buffer,
  offset: offset + WORD * (ranges ? ranges[group].first * ld : group * stride),
});

/** The rows of a group without what lies between them: [rows, columns]. */
export function readRows(
  at: HostContext,
  matrix: Matrix,
  group: number,
): Float32Array<ArrayBuffer> {
  const { columns, ld } = matrix;
  const rows = rowsOfGroup(matrix, group);
  if (rows === 0) return new Float32Array(0);
  const values = new Float32Array(at.read(groupView(matrix, group), span(rows, matrix)).buffer);
  if (ld === columns) return values;
  const dense = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    dense.set(values.subarray(row * ld, row * ld + columns), row * columns);
  }
  return dense;
}

/** Writes the rows of a group, leaving what lies between them as it is. */
export function writeRows(
  at: HostContext,
  matrix: Matrix,
  group: number,
  values: Float32Array,
): void {
  const { columns, ld } = matrix;
  const rows = rowsOfGroup(matrix, group);
  const view = groupView(matrix, group);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (ld === columns) return at.write(view, bytes);
  for (let row = 0; row < rows; row++) {
    const begin = WORD * row * columns;
    const target = { buffer: view.buffer, offset: view.offset + WORD * row * ld };
    at.write(target, bytes.subarray(begin, begin + WORD * columns));
  }
}
