/**
 * Header and data of a safetensors file that is written.
 * @module
 */
import { SchemoeError } from "../types.ts";
import { type Codec, type Dtype, dtypes, type Tensor, type TensorData } from "./dtypes.ts";
import { isSizes, LENGTH_BYTES, quote, shapeBytes, valuesOf } from "./safetensors_header.ts";

/** Type and shape of a tensor that is written. */
export interface TensorShape {
  /** Type of its values in the file. */
  readonly dtype: Dtype;
  /** Sizes of its dimensions, row-major; `[]` for a single value. */
  readonly shape: readonly number[];
}

/**
 * The bytes of a file before its data: length, JSON and spaces up to a multiple of 8.
 * @throws {SchemoeError} naming a tensor of an unknown type or shape, or of a name that the format keeps.
 */
export function encodeHeader(
  tensors: Iterable<readonly [string, TensorShape]>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const header: [string, unknown][] = [];
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string") {
      throw new SchemoeError(`Cannot write metadata ${quote(key)}: ${value} is not a string`);
    }
  }
  if (Object.keys(metadata).length > 0) header.push(["__metadata__", metadata]);
  let offset = 0;
  for (const [name, { dtype, shape }] of tensors) {
    checkShape(name, { dtype, shape });
    const end = offset + shapeBytes(shape, dtypes[dtype].size);
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const length = Math.ceil(json.length / 8) * 8; // spaces after the JSON align the data
  const bytes = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}

/**
 * Values as they lie in a file.
 * @param count values of the shape that the data must be
 * @throws {SchemoeError} naming the tensor whose data have another class or number.
 */
export function encodeData(
  name: string,
  { dtype, shape }: TensorShape,
  data: TensorData,
  count = valuesOf(shape),
): Uint8Array {
  checkShape(name, { dtype, shape });
  const { array, elements, encode } = dtypes[dtype] as Codec<TensorData>;
  const given = data?.constructor?.name;
  if (given !== array.name) fail(name, `its data are a ${given}, ${dtype} takes a ${array.name}`);
  if (data.length !== count * elements) {
    fail(name, `its data have ${data.length} values, not those of its shape [${shape}]`);
  }
  const view = encode(data);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** All bytes of a file with these tensors. */
export function encodeFile(
  tensors: readonly (readonly [string, Tensor])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const parts = [
    encodeHeader(tensors, metadata),
    ...tensors.map(([name, tensor]) => encodeData(name, tensor, tensor.data)),
  ];
  const file = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

function checkShape(name: string, { dtype, shape }: TensorShape): void {
  if (name === "__metadata__") fail(name, "the format keeps this name for itself");
  if (!Object.hasOwn(dtypes, dtype)) fail(name, `dtype ${quote(`${dtype}`)} is not known`);
  if (!isSizes(shape)) fail(name, `its shape [${shape}] is not a list of non-negative integers`);
  const bytes = shapeBytes(shape, dtypes[dtype].size);
  if (!Number.isSafeInteger(bytes)) {
    fail(
      name,
      `its shape [${shape}] of ${dtype} takes ${bytes} bytes, not a whole number below 2^53`,
    );
  }
}

function fail(name: string, problem: string): never {
  throw new SchemoeError(`Cannot write tensor ${quote(name)}: ${problem}`);
}
