/** The codecs of the native library. @module */
import { anyNumber, expect } from "../arguments/mod.ts";
import type { NativeCodec } from "./types.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

interface CodecSpec {
  readonly least: number;
  readonly most: number;
  /** Whether it can round at random. */
  readonly random: boolean;
}

/**
 * The codecs and the bounds of their parameters, as the library reports them (a test compares): bits a value of
 * the zfp codecs, the share in 65536ths of topKValues, nothing of the others.
 */
export const CODECS = {
  none: { least: 0, most: 0, random: false },
  fp16: { least: 0, most: 0, random: false },
  int8: { least: 0, most: 0, random: false },
  bf16: { least: 0, most: 0, random: false },
  zfp1: { least: 3, most: 16, random: false },
  zfp: { least: 3, most: 16, random: false },
  fp8: { least: 0, most: 0, random: true },
  fp8e5m2: { least: 0, most: 0, random: true },
  mxfp8: { least: 0, most: 0, random: true },
  mxfp4: { least: 0, most: 0, random: true },
  int8Blocks: { least: 0, most: 0, random: true },
  int4: { least: 0, most: 0, random: true },
  topKValues: { least: 1, most: 65536, random: false },
} as const satisfies Record<string, CodecSpec>;

/** Name of a native codec. */
export type CodecName = keyof typeof CODECS;

/** The number of a codec in kernel arguments: FNV-1a of its name, as in the library, which keeps no list either. */
function codecNumber(name: string): number {
  const letters = Array.from(name, (letter) => letter.charCodeAt(0));
  return letters.reduce((hash, letter) => Math.imul(hash ^ letter, 0x01000193), 0x811c9dc5) >>> 0;
}

const NAMES = new Map(Object.keys(CODECS).map((name) => [codecNumber(name), name]));

/** The name of the native codec that has the number; the number itself where none has it. */
export function codecOf(number: number): string {
  expect("codecOf", "number", number, anyNumber);
  return NAMES.get(number) ?? String(number);
}

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
  const { least, most } = CODECS[codec as CodecName];
  const value = parameter ?? least;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new SchemoeError(
      `Cannot use the native codec "${codec}": its parameter is ${
        quoted(value)
      }, not ${least} to ${most}`,
    );
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new SchemoeError(
      `Cannot use the native codec "${codec}": its seed is ${
        quoted(seed)
      }, not an integer from 0 on`,
    );
  }
  return [codecNumber(codec), value, seed];
}
