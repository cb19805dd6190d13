/**
 * The header of a safetensors file (https://huggingface.co/docs/safetensors): 8 bytes with its length,
 * then JSON that names type, shape and bytes of each tensor. All bytes after it belong to one tensor.
 * @module
 */
import { SchemoeError } from "../types.ts";
import { type Dtype, dtypes } from "./dtypes.ts";
import { duplicateKey } from "./duplicate_key.ts";
import { parseJson } from "./json.ts";

/** Header bytes that the format allows. */
const HEADER_LIMIT = 100_000_000;
/** Bytes before the JSON text. */
export const LENGTH_BYTES = 8;

/** Where a tensor lies in its file. */
export interface TensorInfo {
  /** Type of its values. */
  readonly dtype: Dtype;
  /** Sizes of its dimensions, row-major; `[]` for a single value. */
  readonly shape: readonly number[];
  /** Its bytes, counted from the start of the file. */
  readonly begin: number;
  /** The byte after its last one. */
  readonly end: number;
}

/** A tensor of a type that this package does not know: left out, and named. */
export interface SkippedTensor {
  /** The name of its type in the file. */
  readonly dtype: string;
  /** Sizes of its dimensions. */
  readonly shape: readonly number[];
  /** Bytes that it takes in the file. */
  readonly bytes: number;
}

/** A parsed header. */
export interface SafetensorsHeader {
  /** Without a prototype, so that names of the file cannot collide with members. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the file's data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Tensors of unknown types, by name. */
  readonly skipped: ReadonlyMap<string, SkippedTensor>;
}

interface Entry extends Omit<TensorInfo, "dtype"> {
  readonly name: string;
  readonly dtype: string;
}

/** Throws an error that names the file. */
export type Fail = (problem: string, cause?: unknown) => never;

/** @throws {SchemoeError} always, naming the file. */
export const failing = (file: string): Fail => (problem, cause) => {
  throw new SchemoeError(`Cannot read ${file}: ${problem}`, { cause });
};

/**
 * The byte at which the JSON text ends, from a file's first 8 bytes.
 * @throws {SchemoeError} when the file is shorter, or the text is longer than the format allows.
 */
export function headerEnd(start: Uint8Array, fileBytes: number, fail: Fail): number {
  if (fileBytes < LENGTH_BYTES) fail(`it has ${fileBytes} bytes, a header needs at least 8`);
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > HEADER_LIMIT) {
    fail(`its header of ${length} bytes is over the limit of ${HEADER_LIMIT}`);
  }
  const end = LENGTH_BYTES + Number(length);
  if (end > fileBytes) fail(`its header ends at byte ${end}, beyond the file's ${fileBytes}`);
  return end;
}

/**
 * Reads the JSON text of a header and compares it with the bytes of the file.
 * @throws {SchemoeError} naming the tensor and what is wrong with it.
 */
export function parseHeader(json: Uint8Array, fileBytes: number, fail: Fail): SafetensorsHeader {
  const dataBegin = LENGTH_BYTES + json.length;
  const header = headerJson(json, fail);
  const metadata = parseMetadata(header, fail);
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, info]) => parseEntry(name, info, dataBegin, fail))
    .toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  for (const entry of entries) checkSize(entry, fileBytes, fail);
  checkCover(entries, { dataBegin, fileBytes }, fail);
  const tensors = new Map<string, TensorInfo>();
  const skipped = new Map<string, SkippedTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    if (isDtype(dtype)) tensors.set(name, { dtype, shape, begin, end });
    else skipped.set(name, { dtype, shape, bytes: end - begin });
  }
  return { metadata, tensors, skipped };
}

/** Whether values of this type can be read. */
const isDtype = (name: string): name is Dtype => Object.hasOwn(dtypes, name);

function headerJson(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  if (bytes[0] !== 0x7b) fail("its header does not start with {");
  let text = "";
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    fail("its header is not valid UTF-8", cause);
  }
  try {
    header = parseJson(text);
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
  // Types that newer versions of the format may add look like those there are.
  if (!isDtype(dtype) && !/^[A-Z][A-Z0-9_]{0,31}$/.test(dtype)) {
    return wrong(`has the dtype ${quote(dtype)}; known: ${Object.keys(dtypes).join(", ")}`);
  }
  if (!isSizes(shape)) return wrong("has a shape that is not a list of non-negative integers");
  if (!isSizes(offsets) || offsets.length !== 2) {
    return wrong("has data_offsets that are not two non-negative integers");
  }
  const [begin, end] = offsets.map((offset) => dataBegin + offset);
  return { name, dtype, shape, begin, end };
}

function checkSize({ name, dtype, shape, begin, end }: Entry, fileBytes: number, fail: Fail): void {
  const tensor = `tensor ${quote(name)}`;
  if (begin > end) fail(`${tensor} begins at byte ${begin}, after its end at ${end}`);
  if (end > fileBytes) fail(`${tensor} ends at byte ${end}, beyond the file's ${fileBytes}`);
  if (!isDtype(dtype)) return;
  const bytes = shapeBytes(shape, dtypes[dtype].size);
  if (bytes !== end - begin) {
    const needs = bytes <= Number.MAX_SAFE_INTEGER ? `${bytes}` : "more than 2^53";
    fail(
      `${tensor} has ${end - begin} bytes, its shape [${
        shape.slice(0, 16)
      }] of ${dtype} needs ${needs}`,
    );
  }
}

/** Each byte of the data belongs to exactly one of the entries, which are sorted. */
function checkCover(
  entries: readonly Entry[],
  { dataBegin, fileBytes }: { dataBegin: number; fileBytes: number },
  fail: Fail,
): void {
  let covered = dataBegin;
  for (const { name, begin, end } of entries) {
    if (begin < covered) fail(`tensor ${quote(name)} begins at byte ${begin}, inside another one`);
    if (begin > covered) fail(`bytes ${covered} to ${begin} belong to no tensor`);
    covered = end;
  }
  if (covered < fileBytes) fail(`bytes ${covered} to ${fileBytes} belong to no tensor`);
}

/** Values of a shape; not a safe integer when they are too many. */
export const valuesOf = (shape: readonly number[]): number =>
  shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);

/** Bytes of a tensor; not a safe integer when they are too many, a fraction when they do not fill one. */
export const shapeBytes = (shape: readonly number[], size: number): number =>
  valuesOf(shape) * size;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value is a shape. */
export function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** A name as JSON, cut when it is long: the file may be hostile. */
export const quote = (name: string): string =>
  JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
