/**
 * Safetensors files, written in pieces.
 * @module
 */
import { expect, someTensors } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { dtypes, type Tensor, type TensorData } from "./dtypes.ts";
import { replaceFile, writeAll } from "./replace_file.ts";
import { encodeData, encodeHeader, type TensorShape } from "./safetensors_encode.ts";
import { valuesOf } from "./safetensors_header.ts";
import { pieces, type ValueRange } from "./safetensors_pieces.ts";
import { TensorSums } from "./safetensors_sums.ts";

export type { ValueRange } from "./safetensors_pieces.ts";

/** A tensor that is fetched in pieces while it is written. */
export interface TensorSource extends TensorShape {
  /** Values of a range; complex ones count as one, packed ones lie in whole bytes. */
  readonly read: (range: ValueRange) => TensorData | Promise<TensorData>;
}

/** Tensors by name. */
export type WritableTensors =
  | Readonly<Record<string, Tensor | TensorSource>>
  | ReadonlyMap<string, Tensor | TensorSource>;

/**
 * Writes tensors to a safetensors file, in this order. The file appears as a whole: it is written
 * beside and renamed, so that a run that is stopped leaves the one before. A tensor may give its values
 * in pieces of about 16 MiB by `read`, as those of `openSafetensors` do.
 *
 * ```ts
 * import { openSafetensors, writeSafetensors } from "@schemoe/lab/files";
 *
 * const path = await Deno.makeTempFile();
 * await writeSafetensors({
 *   w: { dtype: "BF16", shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) },
 *   ones: { dtype: "F32", shape: [8], read: ({ begin, end }) => new Float32Array(end - begin).fill(1) },
 * }, path, { step: "100" });
 * using file = await openSafetensors(path);
 * console.assert(file.metadata.step === "100");
 * console.assert((await file.read("w", { begin: 2, end: 4 })).join() === "3,4");
 * ```
 *
 * @param tensors what to write. A path before the tensors is taken for what it is.
 * @throws {SchemoeError} naming the file, and the tensor whose data do not have the length or class of
 * its shape and type; the file is then as it was.
 */
export async function writeSafetensors(
  tensors: WritableTensors | string | URL,
  path: string | URL | WritableTensors,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { content, file: target } = sides(tensors, path);
  await write(target, { content, metadata });
}

/**
 * The same with a check sum of each tensor in the metadata, which {@linkcode checkSums} compares; other readers see them
 * as one text more.
 */
export async function writeSummed(
  tensors: WritableTensors,
  path: string | URL,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { content, file: target } = sides(tensors, path);
  await write(target, { content, metadata, summed: true });
}

async function write(
  target: string | URL,
  { content, metadata, summed = false }: {
    readonly content: WritableTensors;
    readonly metadata: Readonly<Record<string, string>>;
    readonly summed?: boolean;
  },
): Promise<void> {
  const named: [string, Tensor | TensorSource][] = content instanceof Map
    ? [...content]
    : Object.entries(content);
  const sums = summed ? new TensorSums(named.map(([name]) => name)) : undefined;
  const header = () => encodeHeader(named, sums?.in(metadata) ?? metadata);
  const begin = header();
  for (const [name, tensor] of named) if ("data" in tensor) encodedShape(name, tensor);
  try {
    await replaceFile(target, async (file) => {
      await writeAll(file, begin);
      for (const [name, tensor] of named) {
        for (const range of pieces(tensor)) {
          const values = await valuesIn(tensor, range);
          const bytes = encodeData(name, tensor, values, range.end - range.begin);
          sums?.add(name, bytes);
          await writeAll(file, bytes);
        }
      }
      if (!sums) return;
      // as long as the one that was written first
      await file.seek(0, Deno.SeekMode.Start);
      await writeAll(file, header());
    });
  } catch (cause) {
    if (cause instanceof SchemoeError || cause instanceof Deno.errors.NotCapable) throw cause;
    throw new SchemoeError(`Cannot write ${target}: ${(cause as Error).message}`, { cause });
  }
}

/** Which of two arguments is the path. */
function sides(
  one: WritableTensors | string | URL,
  other: WritableTensors | string | URL,
): { readonly content: WritableTensors; readonly file: string | URL } {
  const isPath = (value: unknown) => typeof value === "string" || value instanceof URL;
  if (isPath(one) === isPath(other)) {
    throw new SchemoeError("Cannot write the tensors: give the tensors first, then the path");
  }
  const [file, content] = isPath(one) ? [one, other] : [other, one];
  expect("writeSafetensors", "tensors", content, someTensors);
  return { file: file as string | URL, content: content as WritableTensors };
}

function valuesIn(tensor: Tensor | TensorSource, { begin, end }: ValueRange) {
  if (!("data" in tensor)) return tensor.read({ begin, end });
  const { elements } = dtypes[tensor.dtype];
  return tensor.data.subarray(begin * elements, end * elements);
}

/** Checks the data of a tensor before anything is written. */
function encodedShape(name: string, { dtype, shape, data }: Tensor): void {
  const { array, elements } = dtypes[dtype];
  const given = data?.constructor?.name;
  if (given !== array.name || data.length !== valuesOf(shape) * elements) {
    encodeData(name, { dtype, shape }, data);
  }
}
