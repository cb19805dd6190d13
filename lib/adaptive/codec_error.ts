/** Which codecs keep an error that is allowed. @module */
import type { Compressor } from "../compressors/types.ts";
import { BUILT_IN, type MoeLayer } from "../layer/mod.ts";
import { codecStudy } from "../studies/codecs/study.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

/** Codecs that may be chosen in each pass, with their errors. */
export interface AllowedCodecs {
  /** Codecs whose error of the output is small enough; `none` is always among them. */
  readonly forward: readonly (Compressor | string)[];
  /** Codecs whose error of every gradient is small enough; `none` is always among them. */
  readonly backward: readonly (Compressor | string)[];
  /** Relative errors (root mean square) of each codec that was measured: of the output, and of the worst gradient. */
  readonly errors: readonly {
    readonly codec: string;
    readonly forward: number;
    readonly backward: number;
  }[];
}

/**
 * Codecs whose relative error (root mean square) of the output, and of the worst gradient, is at most `error`; `none`
 * always.
 * @throws {SchemoeError} where an error is allowed on an engine that computes no values.
 */
export async function allowedCodecs(
  layer: MoeLayer,
  error: number,
  codecs: readonly (Compressor | string)[] = BUILT_IN.compressor,
): Promise<AllowedCodecs> {
  if (!(typeof error === "number" && error >= 0)) {
    throw new SchemoeError(`Cannot tune: error is ${quoted(error)}, not at least 0`);
  }
  if (error === 0) return { forward: ["none"], backward: ["none"], errors: [] };
  if (!layer.engine.computes) {
    throw new SchemoeError(
      "Cannot tune: errors of codecs are measured, and this engine computes no values; leave `error` out",
    );
  }
  const others = codecs.filter((codec) => codec !== "none");
  const rows = await codecStudy(layer, { codecs: others });
  const errors = rows.map(({ codec, output, gradients }) => ({
    codec,
    forward: output.rmse,
    backward: Math.max(0, ...Object.values(gradients).map(({ rmse }) => rmse)),
  }));
  const within = (pass: "forward" | "backward") => [
    "none",
    ...others.filter((_, i) => errors[i][pass] <= error),
  ];
  return { forward: within("forward"), backward: within("backward"), errors };
}
