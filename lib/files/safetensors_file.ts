/**
 * Safetensors files, read tensor by tensor and piece by piece.
 * @module
 */
import { aPath, expect } from "../arguments/mod.ts";
import { type Codec, dtypes, type TensorData } from "./dtypes.ts";
import {
  type Fail,
  failing,
  headerEnd,
  LENGTH_BYTES,
  parseHeader,
  quote,
  type SafetensorsHeader,
  type TensorInfo,
  valuesOf,
} from "./safetensors_header.ts";
import type { ValueRange } from "./safetensors_pieces.ts";

/** An open safetensors file: its header is read, its tensors are not. */
export interface SafetensorsFile extends SafetensorsHeader {
  /** Path that it was opened by. */
  readonly path: string;
  /** Bytes of the whole file. */
  readonly bytes: number;
  /**
   * Values of a tensor, or of a range of them, as the array of its type; see `Tensor`.
   * @throws {SchemoeError} naming file and tensor: not there, of an unknown type, range beyond its
   * values or within a byte of packed ones, file closed or shortened.
   */
  read(name: string, range?: Partial<ValueRange>): Promise<TensorData>;
  /** The same as bytes of the tensor's own type, little-endian, as they lie in the file. */
  readBytes(name: string, range?: Partial<ValueRange>): Promise<Uint8Array<ArrayBuffer>>;
  /** Closing twice does nothing. */
  close(): void;
  /** Closes it at the end of a `using`. */
  [Symbol.dispose](): void;
}

/**
 * Opens a safetensors file and reads its header, which is compared with the size of the file: a
 * checkpoint larger than memory can be read one tensor, or one piece of a tensor, at a time.
 *
 * ```ts
 * import { openSafetensors } from "@schemoe/lab/files";
 *
 * using file = await openSafetensors("test/golden/swiglu.safetensors");
 * for (const [name, { dtype, shape }] of file.tensors) console.log(name, dtype, shape);
 * const first = await file.read("x", { end: 4 }); // Float32Array of 4 values
 * ```
 *
 * @throws {SchemoeError} naming the file that cannot be read, and for a header as `parseSafetensors`.
 */
export async function openSafetensors(path: string | URL): Promise<SafetensorsFile> {
  expect("openSafetensors", "path", path, aPath);
  const fail = failing(`${path}`);
  const file = await open(path, fail);
  try {
    const { size, isFile } = await file.stat();
    if (!isFile) fail("it is not a file");
    const reader = new PositionReader(file, fail);
    const start = await reader.read(0, Math.min(size, LENGTH_BYTES), "its header");
    const end = headerEnd(start, size, fail);
    const json = await reader.read(LENGTH_BYTES, end, "its header");
    return new OpenSafetensors(`${path}`, size, { ...parseHeader(json, size, fail), reader });
  } catch (error) {
    file.close();
    throw error;
  }
}

async function open(path: string | URL, fail: Fail): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    return fail((cause as Error).message, cause);
  }
}

/** Reads at positions of a file whose cursor is shared: one read after the other. */
class PositionReader {
  #last: Promise<unknown> = Promise.resolve();
  #open = true;

  constructor(readonly file: Deno.FsFile, readonly fail: Fail) {}

  read(begin: number, end: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
    const next = this.#last.then(() => this.#read(begin, end, what));
    this.#last = next.catch(() => {});
    return next;
  }

  async #read(begin: number, end: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#open) this.fail(`${what} cannot be read: the file is closed`);
    const bytes = new Uint8Array(end - begin);
    await this.file.seek(begin, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) {
      const count = await this.file.read(bytes.subarray(at));
      if (count === null) {
        this.fail(`it ends at byte ${begin + at}, in ${what}: it was shortened while it is open`);
      }
      at += count!;
    }
    return bytes;
  }

  close(): void {
    if (this.#open) this.file.close();
    this.#open = false;
  }
}

class OpenSafetensors implements SafetensorsFile {
  readonly metadata: SafetensorsHeader["metadata"];
  readonly tensors: SafetensorsHeader["tensors"];
  readonly skipped: SafetensorsHeader["skipped"];
  readonly #reader: PositionReader;

  constructor(
    readonly path: string,
    readonly bytes: number,
    { metadata, tensors, skipped, reader }: SafetensorsHeader & { reader: PositionReader },
  ) {
    [this.metadata, this.tensors, this.skipped] = [metadata, tensors, skipped];
    this.#reader = reader;
  }

  async read(name: string, range: Partial<ValueRange> = {}): Promise<TensorData> {
    const bytes = await this.readBytes(name, range);
    return (dtypes[this.#info(name).dtype] as Codec<TensorData>).decode(bytes);
  }

  async readBytes(name: string, range: Partial<ValueRange> = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { dtype, shape, begin } = this.#info(name);
    const count = valuesOf(shape);
    const { begin: from = 0, end: to = count } = range;
    const { size } = dtypes[dtype];
    const whole = [from, to].every((at) => Number.isSafeInteger(at) && Number.isInteger(at * size));
    if (!whole || from < 0 || from > to || to > count) {
      const within = size < 1 ? ", in whole bytes" : "";
      this.#reader.fail(
        `values ${from} to ${to} of tensor ${quote(name)} are not a range of its ${count}${within}`,
      );
    }
    const what = `tensor ${quote(name)}`;
    return await this.#reader.read(begin + from * size, begin + to * size, what);
  }

  #info(name: string): TensorInfo {
    const found = this.tensors.get(name);
    if (found) return found;
    const { fail } = this.#reader;
    const skipped = this.skipped.get(name);
    if (skipped) fail(`tensor ${quote(name)} is of the type ${skipped.dtype}, which is not known`);
    const names = [...this.tensors.keys()].slice(0, 8).map(quote).join(", ");
    return fail(`it has no tensor ${quote(`${name}`)}; it has ${this.tensors.size}: ${names}`);
  }

  close(): void {
    this.#reader.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
