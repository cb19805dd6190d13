/** Check sums of the tensors of a safetensors file, which tell a damaged one from what was written. @module */
import { aFunction, aText, expect, record, something } from "../arguments/mod.ts";
import { crc32 } from "node:zlib";
import { SchemoeError } from "../types.ts";
import { quote } from "./safetensors_header.ts";
import type { SafetensorsFile } from "./safetensors_file.ts";
import { pieces } from "./safetensors_pieces.ts";

const CHECK_SUMS_FILE = record("an open file, such as await openSafetensors(path)", {
  path: aText,
  metadata: something,
  tensors: something,
  read: aFunction,
});

/** The metadata that holds them: JSON of CRC-32 by tensor, eight hexadecimal digits each. */
const SUMS = "crc32";

/** The sums of a file while it is written: its header, which comes before them, is as long whatever they are. */
export class TensorSums {
  readonly #sums = new Map<string, number>();

  constructor(names: Iterable<string>) {
    for (const name of names) this.#sums.set(name, 0);
  }

  /** Goes on with a tensor's next bytes. */
  add(name: string, bytes: Uint8Array): void {
    this.#sums.set(name, crc32(bytes, this.#sums.get(name)));
  }

  /** The metadata with the sums so far. */
  in(metadata: Readonly<Record<string, string>>): Record<string, string> {
    const texts = [...this.#sums].map(([name, sum]) => [name, textOf(sum)]);
    return { ...metadata, [SUMS]: JSON.stringify(Object.fromEntries(texts)) };
  }
}

const textOf = (sum: number): string => sum.toString(16).padStart(8, "0");

/**
 * Reads all of a file and compares it with its check sums; a file without any passes.
 * @throws {SchemoeError} naming the file and the first tensor that is not what was written.
 */
export async function checkSums(file: SafetensorsFile): Promise<void> {
  expect("checkSums", "file", file, CHECK_SUMS_FILE);
  const text = file.metadata[SUMS];
  if (text === undefined) return;
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot read ${file.path}: ${problem}`);
  };
  const sums = parsed(text) ?? fail(`its metadata ${quote(SUMS)} are no check sums of tensors`);
  for (const [name, shape] of file.tensors) {
    if (!Object.hasOwn(sums, name)) fail(`tensor ${quote(name)} has no check sum`);
    let sum = 0;
    for (const range of pieces(shape)) sum = crc32(await file.readBytes(name, range), sum);
    if (textOf(sum) !== sums[name]) {
      fail(`the check sum of tensor ${quote(name)} is not that of its values: it is damaged`);
    }
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const sums: unknown = JSON.parse(text);
    return Object(sums) === sums && !Array.isArray(sums)
      ? sums as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}
