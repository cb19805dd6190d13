/**
 * `denoflate` by name: its six functions over the platform's zlib, for it is on deno.land alone and no
 * longer maintained.
 *
 * ```ts
 * import { gunzip, gzip } from "denoflate";
 * const bytes = new TextEncoder().encode("tokens");
 * console.assert(new TextDecoder().decode(gunzip(gzip(bytes, 9))) === "tokens");
 * ```
 * @module
 */
import {
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
} from "node:zlib";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

/** Raw DEFLATE. @param level 0 to 9, default 6. */
export const deflate = (input: Uint8Array, level?: number): Uint8Array =>
  compressed(deflateRawSync, input, level);

/** Undoes {@linkcode deflate}. @throws {SchemoeError} for other bytes. */
export const inflate = (input: Uint8Array): Uint8Array =>
  expanded("deflated", inflateRawSync, input);

/** With the header of gzip. @param level 0 to 9, default 6. */
export const gzip = (input: Uint8Array, level?: number): Uint8Array =>
  compressed(gzipSync, input, level);

/** Undoes {@linkcode gzip}. @throws {SchemoeError} for other bytes. */
export const gunzip = (input: Uint8Array): Uint8Array => expanded("gzipped", gunzipSync, input);

/** With the header of zlib. @param level 0 to 9, default 6. */
export const zlib = (input: Uint8Array, level?: number): Uint8Array =>
  compressed(deflateSync, input, level);

/** Undoes {@linkcode zlib}. @throws {SchemoeError} for other bytes. */
export const unzlib = (input: Uint8Array): Uint8Array =>
  expanded("compressed by zlib", inflateSync, input);

function compressed(
  by: (input: Uint8Array, options: { level: number }) => Uint8Array,
  input: Uint8Array,
  level = 6,
): Uint8Array {
  if (!(Number.isInteger(level) && level >= 0 && level <= 9)) {
    throw new SchemoeError(
      `Cannot compress: level is ${quoted(level)}, not an integer from 0 to 9`,
    );
  }
  return plain(by(input, { level }));
}

function expanded(
  how: string,
  by: (input: Uint8Array) => Uint8Array,
  input: Uint8Array,
): Uint8Array {
  try {
    return plain(by(input));
  } catch (cause) {
    throw new SchemoeError(`Cannot expand the bytes: they are not ${how}`, { cause });
  }
}

/** Without the methods of a Buffer. */
const plain = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
