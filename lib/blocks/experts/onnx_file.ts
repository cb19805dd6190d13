/**
 * Models as they are given to the runtime, with their external data checked: these lie in the model's
 * folder, whatever the working directory, and never outside of it.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import { type ExternalTensor, externalTensors } from "./onnx_proto.ts";
import { quoted } from "../../words.ts";

/** A model that was read. */
export interface OnnxFile {
  /** What errors call it. */
  readonly name: string;
  /** Input of the runtime: bytes, or the path of a model with data beside it. */
  readonly source: Uint8Array | string;
  /** Bytes of the model and of its external data. */
  readonly bytes: number;
}

/**
 * Reads a model.
 * @param index of the model among all
 * @throws {SchemoeError} naming the model, and the tensor whose data cannot be used.
 */
export async function readModel(
  model: string | URL | Uint8Array,
  index: number,
): Promise<OnnxFile> {
  if (model instanceof Uint8Array) {
    const name = `model ${index}`;
    const [tensor] = tensorsOf(name, model);
    if (tensor) {
      fail(
        name,
        `${called(tensor)} has its data in a file, and bytes have no folder; give the model's path`,
      );
    }
    return { name, source: model, bytes: model.byteLength };
  }
  if (typeof model !== "string" && !(model instanceof URL)) {
    throw new SchemoeError(
      `Cannot make the experts from ONNX models: model ${index} is ${
        quoted(model)
      }, not a path, a URL or bytes`,
    );
  }
  const name = `${model}`;
  const bytes = await Deno.readFile(model).catch((cause) => cannotRead(name, cause));
  const tensors = tensorsOf(name, bytes);
  if (tensors.length === 0) return { name, source: bytes, bytes: bytes.byteLength };
  const path = model instanceof URL ? decodeURIComponent(model.pathname) : model;
  const cut = path.lastIndexOf("/");
  // The folder of a link is where the link lies.
  const folder = await Deno.realPath(cut < 0 ? "." : path.slice(0, cut) || "/");
  let outside = 0;
  for (const tensor of tensors) outside += await checkExternal(name, folder, tensor);
  return { name, source: `${folder}/${path.slice(cut + 1)}`, bytes: bytes.byteLength + outside };
}

function tensorsOf(name: string, bytes: Uint8Array): ExternalTensor[] {
  try {
    return externalTensors(bytes);
  } catch (cause) {
    return fail(name, `it is not an ONNX model: ${(cause as Error).message}`, cause);
  }
}

/** @returns the bytes of the tensor. */
async function checkExternal(
  name: string,
  folder: string,
  tensor: ExternalTensor,
): Promise<number> {
  const { says } = tensor;
  const location = says.get("location") ?? "";
  const at = `${called(tensor)} has its data in ${JSON.stringify(location.slice(0, 200))}`;
  const parts = location.split(/[/\\]/);
  if (location === "" || parts[0] === "" || parts.includes("..") || location.includes("\0")) {
    fail(name, `${at}, which is not a file in the model's folder`);
  }
  let real: string;
  let info: Deno.FileInfo;
  try {
    real = await Deno.realPath(`${folder}/${location}`);
    info = await Deno.stat(real);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    return fail(name, `${at}, which cannot be read: ${(cause as Error).message}`, cause);
  }
  if (!real.startsWith(folder === "/" ? folder : `${folder}/`)) {
    fail(name, `${at}, a link that leads out of the model's folder, to ${real}`);
  }
  if (!info.isFile) fail(name, `${at}, which is not a file`);
  const number = (key: string, absent: number): number => {
    const text = says.get(key);
    if (text === undefined) return absent;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
    if (Number.isSafeInteger(value)) return value;
    return fail(
      name,
      `${at} with ${key} ${JSON.stringify(text.slice(0, 60))}, not a number of bytes`,
    );
  };
  const offset = number("offset", 0);
  const length = number("length", Math.max(0, info.size - offset));
  if (offset + length > info.size) {
    fail(name, `${at} at bytes ${offset} to ${offset + length}, the file has ${info.size}`);
  }
  return length;
}

const called = ({ name }: ExternalTensor): string => `tensor ${JSON.stringify(name.slice(0, 80))}`;

function cannotRead(name: string, cause: Error): never {
  if (cause instanceof Deno.errors.NotCapable) throw cause;
  return fail(name, `it cannot be read: ${cause.message}`, cause);
}

function fail(name: string, problem: string, cause?: unknown): never {
  throw new SchemoeError(`Cannot use ${name} as an expert: ${problem}`, { cause });
}
