/** Tensors between JavaScript and the buffers of all ranks, whole or in pieces. @module */
import { dtypes } from "../files/dtypes.ts";
import { elements, elementSize, type TensorTable, type TensorType } from "../memory/mod.ts";
import { SchemoeError } from "../types.ts";
import type { Workspace } from "../engine.ts";

/** Values of a tensor as JavaScript holds them: floats, or the bits of bfloat16 or int32 as they are stored. */
export type TensorValues =
  | Float32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>;

/** Where a tensor lies. */
export interface TensorPlace {
  readonly workspace: Workspace;
  readonly table: TensorTable;
  readonly name: string;
}

/** Elements that are moved at a time: some milliseconds, so that the event loop is never held for long. */
const PIECE = 1 << 20;

const CODEC = { float32: dtypes.F32, bfloat16: dtypes.BF16, int32: dtypes.I32 } as const;

/** Numbers of the type's own array: bfloat16 as floats. */
export const decodedAs = (dtype: TensorType, bytes: Uint8Array<ArrayBuffer>) =>
  CODEC[dtype].decode(bytes) as Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** Numbers as a tensor of that type holds them. */
const stored = (dtype: TensorType, values: Float32Array | Int32Array): ArrayBufferView =>
  dtype === "float32"
    ? values
    : dtype === "int32"
    ? Int32Array.from(values)
    : CODEC[dtype].encode(values as never);

/** @throws {SchemoeError} unless the values are as many floats as the tensor has elements. */
function checkValues({ table, name }: TensorPlace, values: unknown): void {
  const { shape, dtype } = table.get(name);
  const numbers = values instanceof Float32Array ||
    (dtype === "int32" && values instanceof Int32Array);
  if (numbers && (values as Float32Array).length === elements(shape)) return;
  const got = values instanceof Float32Array
    ? `${values.length} values`
    : values instanceof Promise
    ? 'a Promise; write "await" before it'
    : Object.prototype.toString.call(values);
  throw new SchemoeError(
    `Cannot set "${name}": expected a Float32Array of shape [${shape.join(", ")}] ` +
      `(${elements(shape)} values), got ${got}`,
  );
}

/** Writes a whole tensor to all ranks, which has been given room. @throws {SchemoeError} see `checkValues`. */
export function writeTensor(place: TensorPlace, values: Float32Array | Int32Array): void {
  checkValues(place, values);
  const { workspace, table, name } = place;
  const { dtype } = table.get(name);
  workspace.ensure({ [name]: table.localBytes(name) });
  for (let rank = 0; rank < table.ranks; rank++) {
    const begin = table.firstElement(name, rank);
    const part = values.subarray(begin, begin + table.elementsOn(name, rank));
    if (part.length > 0) workspace.write(name, rank, stored(dtype, part));
  }
}

/** Writes values from element `begin` of the whole tensor on, off the event loop. */
export async function writePiece(
  { workspace, table, name }: TensorPlace,
  begin: number,
  values: Float32Array,
): Promise<void> {
  const { dtype } = table.get(name);
  const size = elementSize(dtype);
  for (let rank = 0; rank < table.ranks; rank++) {
    const first = table.firstElement(name, rank);
    const count = table.elementsOn(name, rank);
    const from = Math.max(begin, first);
    const to = Math.min(begin + values.length, first + count);
    if (from >= to) continue;
    const part = values.subarray(from - begin, to - begin);
    await workspace.writeAsync(name, rank, stored(dtype, part), (from - first) * size);
  }
}

/** Reads a tensor from all ranks, or from rank 0 where all hold the same; bfloat16 as floats. */
export function readTensor(
  { workspace, table, name }: TensorPlace,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  const { dtype, placement, shape } = table.get(name);
  const local = table.localBytes(name);
  if (placement === "same") return decodedAs(dtype, workspace.read(name, 0, local));
  const values = dtype === "int32"
    ? new Int32Array(elements(shape))
    : new Float32Array(elements(shape));
  for (const rank of table.holders(name)) {
    const first = table.firstElement(name, rank);
    const part = values.subarray(first, first + table.elementsOn(name, rank));
    if (part.length === 0) continue;
    const bytes = elementSize(dtype) * part.length;
    if (dtype === "bfloat16") part.set(decodedAs(dtype, workspace.read(name, rank, bytes)));
    else workspace.readInto(name, rank, new Uint8Array(part.buffer, part.byteOffset, bytes));
  }
  return values;
}

/**
 * The same off the event loop and in pieces.
 * @param stored bfloat16 as its bits (Uint16Array) instead of floats.
 */
export async function readTensorAsync(
  { workspace, table, name }: TensorPlace,
  stored: boolean,
): Promise<TensorValues> {
  const { dtype, shape } = table.get(name);
  const size = elementSize(dtype);
  const total = elements(shape);
  const values = dtype === "int32"
    ? new Int32Array(total)
    : dtype === "bfloat16" && stored
    ? new Uint16Array(total)
    : new Float32Array(total);
  for (const rank of table.holders(name)) {
    const first = table.firstElement(name, rank);
    const count = table.elementsOn(name, rank);
    for (let at = 0; at < count; at += PIECE) {
      const end = Math.min(count, at + PIECE);
      const part = values.subarray(first + at, first + end);
      if (part instanceof Float32Array && dtype === "bfloat16") {
        const bytes = new Uint8Array(size * part.length);
        await workspace.readAsync(name, rank, bytes, size * at);
        part.set(decodedAs(dtype, bytes) as Float32Array);
      } else {
        const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
        await workspace.readAsync(name, rank, bytes, size * at);
      }
    }
  }
  return values;
}
