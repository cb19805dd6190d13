/**
 * How far results may be from a reference case, by the layer's type and by the codec on its wires.
 * @module
 */
import * as compressors from "../../compressors/mod.ts";
import type { Compressor } from "../../compressors/types.ts";
import type { ElementType } from "../../kernels/types.ts";
import { BUILT_IN } from "../../layer/built_in.ts";
import { SchemoeError } from "../../types.ts";

/** Largest relative error that passes without a codec (bfloat16: from the CPU engine). */
const EXACT: Readonly<Record<ElementType, number>> = { float32: 1e-5, bfloat16: 2e-2 };

/** The codec of that name. */
const codecOf = (name: string): Compressor | undefined =>
  BUILT_IN.compressor.includes(name)
    ? (compressors as unknown as Record<string, Compressor>)[name]
    : undefined;

/** Codecs with a bound. */
export const boundedCodecs: readonly string[] = BUILT_IN.compressor.filter((name) =>
  name === "none" || codecOf(name)?.tolerance
);

/** Gradients that pass the activation of an expert. */
const BEHIND_ACTIVATION: ReadonlySet<string> = new Set([
  "grad.x",
  "grad.experts.w1",
  "grad.experts.b1",
]);

/** A verified run. */
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
  const tolerance = codecOf(compressor)?.tolerance;
  if (!tolerance) {
    throw new SchemoeError(
      `Cannot verify with the codec "${compressor}": no bound of its errors is known; choose one of ` +
        boundedCodecs.join(", "),
    );
  }
  const { rounding, switched } = tolerance;
  const steps = /\brelu\b/.test(expert);
  const least = dtype === "float32" ? 0 : EXACT[dtype];
  return {
    norm: "rms",
    of: (tensor) => Math.max(least, steps && BEHIND_ACTIVATION.has(tensor) ? switched : rounding),
  };
}
