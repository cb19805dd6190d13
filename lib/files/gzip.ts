/** Gzip by the platform's streams. @module */
import { SchemoeError } from "../types.ts";

/** Text as gzipped bytes. */
export async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Bytes of text or bytes, unpacked when they are gzipped.
 * @throws {SchemoeError} beginning with `cannot`, when it is neither or cannot be unpacked.
 */
export async function bytesOf(data: unknown, cannot: string): Promise<Uint8Array> {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (!(data instanceof Uint8Array)) {
    throw new SchemoeError(`${cannot}: it is neither text nor bytes`);
  }
  if (data[0] !== 0x1f || data[1] !== 0x8b) return data;
  try {
    const stream = new Blob([data as Uint8Array<ArrayBuffer>]).stream()
      .pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(`${cannot}: it cannot be unpacked: ${text}; it is cut off or damaged`, {
      cause,
    });
  }
}
