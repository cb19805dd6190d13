/**
 * Reads and writes files of named tensors in the safetensors format
 * (https://huggingface.co/docs/safetensors): 8 bytes with the length of a JSON header, the header,
 * the data of all tensors without holes.
 * @module
 */
import { SchemoeError } from "../types.ts";
import { type Codec, type Dtype, dtypes, type Tensor } from "./dtypes.ts";
import { duplicateKey } from "./duplicate_key.ts";

export type { Dtype, Tensor } from "./dtypes.ts";

/** Contents of a safetensors file. */
export interface Safetensors {
  /** Without a prototype, so that any name is only what the file says. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the file's data. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Header bytes that the format allows. */
const HEADER_LIMIT = 100_000_000;

/** Where a tensor says it lies, in bytes from the start of the file. */
interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

type Fail = (problem: string, cause?: unknown) => never;

/**
 * Parses the bytes of a safetensors file; the tensors are copies.
 *
 * ```ts
 * import { parseSafetensors, writeSafetensors } from "@schemoe/lab/files";
 *
 * const bytes = writeSafetensors({
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
  const fail: Fail = (problem, cause) => {
    throw new SchemoeError(`Cannot read ${name}: ${problem}`, { cause });
  };
  const dataBegin = headerEnd(bytes, fail);
  const header = parseHeader(bytes.subarray(8, dataBegin), fail);
  const metadata = parseMetadata(header, fail);
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, info]) => parseEntry(name, info, dataBegin, fail))
    .toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  for (const entry of entries) checkSize(entry, bytes.length, fail);
  checkCover(entries, dataBegin, bytes.length, fail);

  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const copy = new Uint8Array(end - begin);
    copy.set(bytes.subarray(begin, end));
    tensors.set(name, { dtype, shape, data: dtypes[dtype].decode(copy) } as Tensor);
  }
  return { metadata, tensors };
}

/**
 * The bytes of a safetensors file with these tensors, in this order.
 * @throws {SchemoeError} naming the tensor whose data do not have the length or class of its shape
 * and type, or a name that the format keeps for itself
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(["__metadata__", metadata]);
  const parts: Uint8Array[] = [];
  let offset = 0;
  const named: Iterable<[string, Tensor]> = tensors instanceof Map
    ? tensors
    : Object.entries(tensors);
  for (const [name, tensor] of named) {
    const data = encode(name, tensor);
    header.push([name, {
      dtype: tensor.dtype,
      shape: tensor.shape,
      data_offsets: [offset, offset + data.length],
    }]);
    parts.push(data);
    offset += data.length;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const dataBegin = 8 + Math.ceil(json.length / 8) * 8; // spaces after the header align the data
  const file = new Uint8Array(dataBegin + offset).fill(0x20, 8, dataBegin);
  new DataView(file.buffer).setBigUint64(0, BigInt(dataBegin - 8), true);
  file.set(json, 8);
  offset = dataBegin;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}

function headerEnd(bytes: Uint8Array, fail: Fail): number {
  if (bytes.length < 8) fail(`it has ${bytes.length} bytes, a header needs at least 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > HEADER_LIMIT) {
    fail(`its header of ${length} bytes is over the limit of ${HEADER_LIMIT}`);
  }
  const end = 8 + Number(length);
  if (end > bytes.length) {
    fail(`its header ends at byte ${end}, beyond the file's ${bytes.length}`);
  }
  return end;
}

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  if (bytes[0] !== 0x7b) fail("its header does not start with {");
  let text = "";
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    fail("its header is not valid UTF-8", cause);
  }
  try {
    header = JSON.parse(text);
  } catch (cause) {
    fail(`its header is not valid JSON: ${(cause as Error).message.slice(0, 200)}`, cause);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) fail(`its header has the key ${quote(duplicate)} twice`);
  return header as Record<string, unknown>; // it starts with {
}

function parseMetadata(header: Record<string, unknown>, fail: Fail): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  if (!Object.hasOwn(header, "__metadata__")) return metadata;
  const given = header.__metadata__;
  if (!isObject(given)) fail("its __metadata__ is not an object");
  for (const [key, value] of Object.entries(given as Record<string, unknown>)) {
    if (typeof value !== "string") fail(`its metadata ${quote(key)} is not a string`);
    metadata[key] = value as string;
  }
  return metadata;
}

function parseEntry(name: string, info: unknown, dataBegin: number, fail: Fail): Entry {
  const wrong: Fail = (problem) => fail(`tensor ${quote(name)} ${problem}`);
  if (!isObject(info)) return wrong("is not described by an object");
  const { dtype, shape, data_offsets: offsets } = info;
  if (typeof dtype !== "string") return wrong("has no dtype");
  if (!Object.hasOwn(dtypes, dtype)) {
    return wrong(`has the dtype ${quote(dtype)}; known: ${Object.keys(dtypes).join(", ")}`);
  }
  if (!isSizes(shape)) return wrong("has a shape that is not a list of non-negative integers");
  if (!isSizes(offsets) || offsets.length !== 2) {
    return wrong("has data_offsets that are not two non-negative integers");
  }
  const [begin, end] = offsets.map((offset) => dataBegin + offset);
  return { name, dtype: dtype as Dtype, shape, begin, end };
}

function checkSize({ name, dtype, shape, begin, end }: Entry, fileBytes: number, fail: Fail): void {
  const tensor = `tensor ${quote(name)}`;
  if (begin > end) fail(`${tensor} begins at byte ${begin}, after its end at ${end}`);
  if (end > fileBytes) fail(`${tensor} ends at byte ${end}, beyond the file's ${fileBytes}`);
  const bytes = shapeBytes(shape, dtypes[dtype].size);
  if (bytes !== end - begin) {
    const needs = Number.isSafeInteger(bytes) ? `${bytes}` : "more than 2^53";
    fail(
      `${tensor} has ${end - begin} bytes, its shape [${
        shape.slice(0, 16)
      }] of ${dtype} needs ${needs}`,
    );
  }
}

/** Each byte of the data belongs to exactly one of the entries, which are sorted. */
function checkCover(entries: readonly Entry[], dataBegin: number, fileBytes: number, fail: Fail) {
  let covered = dataBegin;
  for (const { name, begin, end } of entries) {
    if (begin < covered) fail(`tensor ${quote(name)} begins at byte ${begin}, inside another one`);
    if (begin > covered) fail(`bytes ${covered} to ${begin} belong to no tensor`);
    covered = end;
  }
  if (covered < fileBytes) fail(`bytes ${covered} to ${fileBytes} belong to no tensor`);
}

function encode(name: string, { dtype, shape, data }: Tensor): Uint8Array {
  const wrong: Fail = (problem) => {
    throw new SchemoeError(`Cannot write tensor ${quote(name)}: ${problem}`);
  };
  if (name === "__metadata__") wrong("the format keeps this name for itself");
  if (!Object.hasOwn(dtypes, dtype)) wrong(`dtype ${quote(dtype)} is not known`);
  const { decode, encode, size } = dtypes[dtype] as Codec<Tensor["data"]>;
  const expected = decode(new Uint8Array(0)).constructor.name;
  if (data.constructor.name !== expected) {
    wrong(`its data are a ${data.constructor.name}, ${dtype} takes a ${expected}`);
  }
  if (!isSizes(shape) || shapeBytes(shape, size) !== data.length * size) {
    wrong(`its data have ${data.length} values, not those of its shape [${shape}]`);
  }
  const view = encode(data);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Bytes of a tensor; not a safe integer when they are too many. */
function shapeBytes(shape: readonly number[], size: number): number {
  return shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, size);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** A name as JSON, cut when it is long: the file may be hostile. */
const quote = (name: string): string =>
  JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
