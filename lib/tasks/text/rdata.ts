/** Text vectors of R's lazy-load files. @module */
import { inflateSync } from "node:zlib";
import { SchemoeError } from "../../types.ts";

/** Flags of R's XDR serialization of a character vector without attributes, big-endian. */
const VECTOR = [0, 0, 0, 0x10];

/**
 * The character vectors in an `.rdb` file of R: records of a big-endian length and a zlib stream, each the
 * serialization (version 2 or 3, XDR) of one object.
 * @throws {SchemoeError} for a record that is cut off or holds no such vector.
 */
export function textVectors(file: Uint8Array): string[][] {
  const vectors: string[][] = [];
  for (let at = 0; at < file.length;) {
    const length = new DataView(file.buffer, file.byteOffset + at).getUint32(0);
    const { buffer, bytes } = inflated(file.subarray(at + 4), at);
    if (buffer.length !== length) {
      throw new SchemoeError(
        `Cannot read the text: the record at byte ${at} has ${buffer.length} bytes, not ${length}`,
      );
    }
    vectors.push(strings(buffer, at));
    at += 4 + bytes;
  }
  return vectors;
}

/** What a zlib stream holds, and how many bytes it takes. */
function inflated(stream: Uint8Array, at: number): { buffer: Uint8Array; bytes: number } {
  try {
    // the types do not know what `info` gives
    const found = inflateSync(stream, { info: true } as object) as unknown as {
      readonly buffer: Uint8Array;
      readonly engine: { readonly bytesWritten: number };
    };
    return { buffer: found.buffer, bytes: found.engine.bytesWritten };
  } catch (cause) {
    throw new SchemoeError(
      `Cannot read the text: the record at byte ${at} is no zlib stream: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}

/** The first character vector: its count, then flags, length and bytes of each string. */
function strings(data: Uint8Array, record: number): string[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  while (at < data.length - 8 && VECTOR.some((byte, i) => data[at + i] !== byte)) at++;
  if (at >= data.length - 8) {
    throw new SchemoeError(`Cannot read the text: the record at byte ${record} holds no text`);
  }
  const count = view.getUint32(at + 4);
  at += 8;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return Array.from({ length: count }, () => {
    const length = view.getInt32(at + 4);
    const text = decoder.decode(data.subarray(at + 8, at + 8 + length));
    at += 8 + length;
    return text;
  });
}
