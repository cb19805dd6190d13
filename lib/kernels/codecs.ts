/** The codecs of the native library. @module */
import type { NativeCodec } from "./types.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

interface CodecSpec {
  readonly code: number;
  readonly least: number;
  readonly most: number;
  /** Whether it can round at random. */
  readonly random: boolean;
}

/**
 * Number of each codec and the bounds of its parameter, as the library reports them (a test compares): bits a
 * value of the zfp codecs, the share in 65536ths of topk, nothing of the others.
 */
export const CODECS = {
  none: { code: 0, least: 0, most: 0, random: false },
  fp16: { code: 1, least: 0, most: 0, random: false },
  int8: { code: 2, least: 0, most: 0, random: false },
  bf16: { code: 3, least: 0, most: 0, random: false },
  zfp1: { code: 4, least: 3, most: 16, random: false },
  zfp2: { code: 5, least: 3, most: 16, random: false },
  fp8: { code: 6, least: 0, most: 0, random: true },
  e5m2: { code: 7, least: 0, most: 0, random: true },
  mxfp8: { code: 8, least: 0, most: 0, random: true },
  mxfp4: { code: 9, least: 0, most: 0, random: true },
  int8block: { code: 10, least: 0, most: 0, random: true },
  int4: { code: 11, least: 0, most: 0, random: true },
  topk: { code: 12, least: 1, most: 65536, random: false },
} as const satisfies Record<string, CodecSpec>;

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
      `Unknown native codec ${quoted(codec)}: choose one of ${Object.keys(CODECS).join(", ")}${
        didYouMean(codec, Object.keys(CODECS))
      }`,
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
