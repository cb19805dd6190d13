/** The codecs of the native library. @module */
import { type NativeCodec, SchemoeError } from "../types.ts";

/**
 * Number of each codec and the bounds of its parameter, as the library reports them (a test compares): bits a
 * value of the zfp codecs, nothing of the others.
 */
export const CODECS = {
  none: { code: 0, least: 0, most: 0 },
  fp16: { code: 1, least: 0, most: 0 },
  int8: { code: 2, least: 0, most: 0 },
  bf16: { code: 3, least: 0, most: 0 },
  zfp1: { code: 4, least: 3, most: 16 },
  zfp2: { code: 5, least: 3, most: 16 },
} as const satisfies Record<string, { code: number; least: number; most: number }>;

/** Name of a native codec. */
export type CodecName = keyof typeof CODECS;

/**
 * Number, parameter and seed of a native codec, for a kernel.
 *
 * @throws {SchemoeError} when there is no such codec, or its parameter is out of bounds.
 */
export function codecArguments({ codec, parameter, seed = 0 }: NativeCodec): number[] {
  if (typeof codec !== "string" || !Object.hasOwn(CODECS, codec)) {
    throw new SchemoeError(
      `Unknown native codec "${codec}": choose one of ${Object.keys(CODECS).join(", ")}`,
    );
  }
  const { code, least, most } = CODECS[codec as CodecName];
  const value = parameter ?? least;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new SchemoeError(
      `Cannot use the native codec "${codec}": its parameter is ${value}, not ${least} to ${most}`,
    );
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new SchemoeError(
      `Cannot use the native codec "${codec}": its seed is ${seed}, not an integer from 0 on`,
    );
  }
  return [code, value, seed];
}
