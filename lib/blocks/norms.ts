/** Norms, as values. @module */
import { anything, expect, options } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

const NORM_OPTIONS = options({ epsilon: anything });

/** Normalization of rows before a layer. */
export interface Norm {
  /** What configurations and checkpoints call it: `rmsNorm` or `layerNorm`. */
  readonly name: string;
  /** Whether the mean is subtracted; then there is a bias too. */
  readonly centered: boolean;
  /** Added to the mean square, or the variance, below the root. */
  readonly epsilon: number;
}

/** Options of norms. */
export interface NormOptions {
  /** Added to the mean square; default 1e-5. */
  readonly epsilon?: number;
}

/**
 * `x / sqrt(mean(x^2) + epsilon) * weight` (Zhang and Sennrich, "Root Mean Square Layer Normalization",
 * NeurIPS'19).
 *
 * ```ts
 * import { rmsNorm } from "@schemoe/lab/blocks";
 * console.assert(rmsNorm().epsilon === 1e-5);
 * ```
 * @throws {SchemoeError} for an epsilon that is not positive.
 */
export function rmsNorm(options: NormOptions = {}): Norm {
  expect("rmsNorm", "options", options, NORM_OPTIONS);
  return norm("rmsNorm", false, options);
}

/** `(x - mean) / sqrt(variance + epsilon) * weight + bias` (Ba et al., "Layer Normalization", 2016). */
export function layerNorm(options: NormOptions = {}): Norm {
  expect("layerNorm", "options", options, NORM_OPTIONS);
  return norm("layerNorm", true, options);
}

function norm(name: string, centered: boolean, options: NormOptions): Norm {
  const { epsilon = 1e-5 } = options;
  if (!(typeof epsilon === "number" && epsilon > 0)) {
    throw new SchemoeError(`Cannot make ${name}: epsilon must be positive, got ${quoted(epsilon)}`);
  }
  return { name, centered, epsilon };
}
