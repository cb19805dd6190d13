/**
 * How far results may be from a reference case, by the layer's type and by the codec on its wires.
 * @module
 */
import type { ElementType } from "../../kernels/types.ts";
import { SchemoeError } from "../../types.ts";

/** Largest relative error that passes without a codec (bfloat16: from the CPU engine). */
const EXACT: Readonly<Record<ElementType, number>> = { float32: 1e-5, bfloat16: 2e-2 };

/** Largest relative error of a tensor in the 2-norm. */
interface CodecBounds {
  /** About twice what rounding gives: values pass a codec two times. */
  readonly rounding: number;
  /** Of gradients behind a ReLU, of which rounding switches some units on or off. */
  readonly switched: number;
}

/**
 * fp16 rounds by 2^-11 at most, bf16 by 2^-8, int8 by 1/510 of a row's range, zfp at its default rate by
 * about 1/60 of a block's largest value, floats of 8 and 4 bits by half a step of their mantissa. On the
 * reference cases the largest errors are about half of these.
 */
const CODECS: Readonly<Record<string, CodecBounds>> = {
  fp16: { rounding: 1e-3, switched: 2.5e-2 },
  bf16: { rounding: 7e-3, switched: 1e-1 },
  int8: { rounding: 1.7e-2, switched: 1.3e-1 },
  zfp: { rounding: 7e-2, switched: 2.5e-1 },
  int8Blocks: { rounding: 2e-2, switched: 1.4e-1 },
  fp8: { rounding: 1.1e-1, switched: 2.5e-1 },
  fp8e5m2: { rounding: 1.9e-1, switched: 4e-1 },
  mxfp8: { rounding: 1.1e-1, switched: 3.2e-1 },
  int4: { rounding: 3.6e-1, switched: 6.5e-1 },
  mxfp4: { rounding: 4.3e-1, switched: 6.5e-1 },
  // Drops all but a hundredth of the values: errors may not be larger than what is missing.
  topKValues: { rounding: 1.1, switched: 1.1 },
};

/** Codecs with a bound. */
export const boundedCodecs: readonly string[] = ["none", ...Object.keys(CODECS)];

/** Gradients that pass the activation of an expert. */
const BEHIND_ACTIVATION: ReadonlySet<string> = new Set([
  "grad.x",
  "grad.experts.w1",
  "grad.experts.b1",
]);

/** What is verified. */
export interface Verified {
  readonly compressor: string;
  readonly dtype: ElementType;
  /** Name of the layer's expert, which holds its activation. */
  readonly expert: string;
}

/**
 * The norm in which errors are taken, and the largest error of each tensor.
 * @throws {SchemoeError} for a codec without a bound.
 */
export function boundsOf(
  { compressor, dtype, expert }: Verified,
): { norm: "max" | "rms"; of: (tensor: string) => number } {
  if (compressor === "none") return { norm: "max", of: () => EXACT[dtype] };
  if (!Object.hasOwn(CODECS, compressor)) {
    throw new SchemoeError(
      `Cannot verify with the codec "${compressor}": no bound of its errors is known; choose one of ` +
        boundedCodecs.join(", "),
    );
  }
  const { rounding, switched } = CODECS[compressor];
  const steps = /\brelu\b/.test(expert);
  const least = dtype === "float32" ? 0 : EXACT[dtype];
  return {
    norm: "rms",
    of: (tensor) => Math.max(least, steps && BEHIND_ACTIVATION.has(tensor) ? switched : rounding),
  };
}
