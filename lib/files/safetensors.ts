/**
 * Bytes of named tensors in the safetensors format (https://huggingface.co/docs/safetensors): 8 bytes
 * with the length of a JSON header, the header, the data of all tensors without holes.
 * @module
 */
import { aByteArray, anything, aText, expect, someTensors } from "../arguments/mod.ts";
import { dtypes, type Tensor } from "./dtypes.ts";
import { encodeFile } from "./safetensors_encode.ts";
import {
  failing,
  headerEnd,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsHeader,
} from "./safetensors_header.ts";

export type { Dtype, Tensor, TensorData } from "./dtypes.ts";
export type { SkippedTensor, TensorInfo } from "./safetensors_header.ts";

/** Contents of a safetensors file. */
export interface Safetensors extends Pick<SafetensorsHeader, "metadata" | "skipped"> {
  /** In the order of the file's data. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/**
 * Parses the bytes of a safetensors file; the tensors are copies. All types of the format are read;
 * tensors of a type that is not known yet are named in `skipped`. `openSafetensors` reads large files
 * in pieces.
 *
 * ```ts
 * import { encodeSafetensors, parseSafetensors } from "@schemoe/lab/files";
 *
 * const bytes = encodeSafetensors({
 *   x: { dtype: "F32", shape: [2, 1], data: new Float32Array([1, 2]) },
 * });
 * const { tensors } = parseSafetensors(bytes, "layer.safetensors");
 * console.log(tensors.get("x")?.shape); // [2, 1]
 * ```
 *
 * @param name of the file, for messages
 * @throws {SchemoeError} naming file, tensor and what is wrong, for anything that is not exactly
 * such a file: all bytes belong to one tensor, each tensor has the bytes of its shape
 */
export function parseSafetensors(bytes: Uint8Array, name: string): Safetensors {
  expect("parseSafetensors", "bytes", bytes, aByteArray);
  expect("parseSafetensors", "name", name, aText);
  const fail = failing(name);
  const json = bytes.subarray(LENGTH_BYTES, headerEnd(bytes, bytes.length, fail));
  const { metadata, skipped, tensors } = parseHeader(json, bytes.length, fail);
  const read = Array.from(tensors, ([name, { dtype, shape, begin, end }]) => {
    const copy = new Uint8Array(bytes.subarray(begin, end));
    return [name, { dtype, shape, data: dtypes[dtype].decode(copy) } as Tensor] as const;
  });
  return { metadata, skipped, tensors: new Map(read) };
}

/**
 * The bytes of a safetensors file with these tensors, in this order; `writeSafetensors` writes a file.
 * @throws {SchemoeError} naming the tensor whose data do not have the length or class of its shape
 * and type, or a name that the format keeps for itself
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  expect("encodeSafetensors", "tensors", tensors, someTensors);
  expect("encodeSafetensors", "metadata", metadata, anything);
  return encodeFile(tensors instanceof Map ? [...tensors] : Object.entries(tensors), metadata);
}
