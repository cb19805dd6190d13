/** Text that may be gzipped. @module */
import { SchemoeError } from "../types.ts";
import { gunzip, inflateLimit, isGzip } from "./gunzip.ts";

/** Text as gzipped bytes. */
export async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** First bytes of archives that are not unpacked here. */
const FOREIGN: readonly (readonly [string, readonly number[]])[] = [
  ["a ZIP archive", [0x50, 0x4b, 0x03, 0x04]],
  ["compressed by zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["compressed by xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["compressed by bzip2", [0x42, 0x5a, 0x68]],
  ["compressed by lz4", [0x04, 0x22, 0x4d, 0x18]],
];

/**
 * Bytes of text or bytes, unpacked when they are gzipped.
 * @param limit bytes that may come out; default 50 times the archive, at least 32 MiB
 * @throws {SchemoeError} beginning with `cannot`, when it is neither or cannot be unpacked.
 */
export async function bytesOf(data: unknown, cannot: string, limit?: number): Promise<Uint8Array> {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (!(data instanceof Uint8Array)) {
    throw new SchemoeError(`${cannot}: it is neither text nor bytes`);
  }
  const foreign = FOREIGN.find(([, magic]) => magic.every((byte, i) => data[i] === byte));
  if (foreign) throw new SchemoeError(`${cannot}: it is ${foreign[0]}: unpack it, or use gzip`);
  if (!isGzip(data)) return data;
  try {
    return await gunzip(data, limit ?? inflateLimit(data.length));
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(`${cannot}: it cannot be unpacked: ${text}`, { cause });
  }
}
