/** Tokens without meaning, to measure speed. @module */
import { anything, expect, options } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { scatter, type TrainingData } from "./data.ts";
import { quoted } from "../words.ts";

const RANDOM_TOKENS_OPTIONS = options({ vocabulary: anything, seed: anything });

/**
 * Uniform random tokens: nothing can be learnt from them, so that they serve to measure speed alone.
 *
 * ```ts
 * import { randomTokens } from "@schemoe/lab/training";
 * const data = randomTokens({ vocabulary: 512 });
 * console.assert(data.batch({ step: 0, sequences: 2, context: 16 }).length === 2 * 17);
 * ```
 * @param options.seed default 1.
 * @throws {SchemoeError} for a vocabulary that is no positive integer, or a seed that is none.
 */
export function randomTokens(
  options: { readonly vocabulary: number; readonly seed?: number },
): TrainingData {
  expect("randomTokens", "options", options, RANDOM_TOKENS_OPTIONS);
  const { vocabulary, seed = 1 }: typeof options = Object(options);
  if (!Number.isInteger(vocabulary) || vocabulary < 1) {
    throw new SchemoeError(
      `Cannot make random tokens: vocabulary must be a positive integer, got ${quoted(vocabulary)}`,
    );
  }
  if (!Number.isSafeInteger(seed)) {
    throw new SchemoeError(
      `Cannot make random tokens: seed must be an integer, got ${quoted(seed)}`,
    );
  }
  return {
    name: `randomTokens(${vocabulary})`,
    vocabulary,
    batch: ({ step, sequences, context }) =>
      Int32Array.from(
        { length: sequences * (context + 1) },
        (_, i) => scatter(seed, step, i) % vocabulary,
      ),
  };
}
