import { quoted } from "../words.ts";
import type { Compressor } from "./types.ts";
import { SchemoeError } from "../types.ts";

/** What was made of a codec: the memory belongs to it, so that one made in each pass would remember nothing. */
const wrapped = new WeakMap<Compressor, Compressor>();

/**
 * A codec in JavaScript that adds to each block what it lost of the same block the last time: the mean of what
 * arrives over many runs is then right whatever the codec cuts off.
 *
 * This belongs to values that mean the same in every run, such as gradients of dense parts, for which a model has it
 * with native codecs (`gradientCodec` of `createModel`). For activations it is
 * ill-defined: the tokens in a block are others in the next run, which then get what these have lost. Where that is
 * so, use {@linkcode stochastic} rounding, which needs no memory.
 *
 * The same codec gives the same value, and with it the memory: the remainders are kept for each (layer, pass, leg, chunk,
 * rank, peer) and begin at zero again where a block's size changes,
 * as it does from run to run in a dropless layer. Needs `encode` and `decode`; a native codec has none.
 *
 * Source: Seide et al., "1-bit stochastic gradient descent", Interspeech 2014; Karimireddy et al., "Error feedback
 * fixes SignSGD", ICML 2019.
 *
 * ```ts
 * import { errorFeedback } from "@schemoe/lab/compressors";
 * const sign = {
 *   name: "sign",
 *   wireBytes: ({ rows, columns }: { rows: number; columns: number }) => rows * columns,
 *   encode: (values: Float32Array) => Uint8Array.from(values, (v) => Number(v < 0)),
 *   decode: (bytes: Uint8Array) => Float32Array.from(bytes, (bit) => bit ? -1 : 1),
 * };
 * console.assert(errorFeedback(sign).name === "sign-error-feedback");
 * ```
 *
 * @throws {SchemoeError} for a codec without `encode` and `decode`.
 */
export function errorFeedback(codec: Compressor): Compressor {
  if (typeof codec?.wireBytes !== "function") {
    throw new SchemoeError(`Cannot feed errors back: give a compressor, got ${quoted(codec)}`);
  }
  const known = wrapped.get(codec);
  if (known) return known;
  const { encode, decode } = codec;
  if (!encode || !decode) {
    throw new SchemoeError(
      `Cannot feed errors back: the compressor ${
        quoted(codec.name)
      } has no functions encode and decode` +
        (codec.native
          ? "; gradients of a model's dense parts have it with native codecs (gradientCodec of createModel), " +
            "activations have stochastic() instead"
          : ""),
    );
  }
  const fed: Compressor = {
    ...codec,
    name: `${codec.name}-error-feedback`,
    async encode(values, block, context) {
      const bytes = context.state(`error feedback of ${values.length}`, values.byteLength);
      const lost = new Float32Array(bytes.buffer, bytes.byteOffset, values.length);
      const whole = values.map((value, i) => value + lost[i]);
      const encoded = await encode.call(codec, whole, block, context);
      // A decoder may change what it is given.
      const arrives = await decode.call(codec, encoded.slice(), block, context);
      for (let i = 0; i < whole.length; i++) lost[i] = whole[i] - arrives[i];
      return encoded;
    },
  };
  wrapped.set(codec, fed);
  return fed;
}
