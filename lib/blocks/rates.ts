/** Learning rates, as values. @module */
import { anything, atLeastZero, expect, options } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

const COSINE_RATE_OPTIONS = options({
  peak: anything,
  warmup: anything,
  steps: anything,
  final: anything,
});

/** Learning rate of each step. */
export interface Rate {
  /** What configurations and errors call it. */
  readonly name: string;
  /** Of step 0, 1, ... */
  at(step: number): number;
}

/** The same rate in all steps. */
export function constantRate(rate: number): Rate {
  expect("constantRate", "rate", rate, atLeastZero);
  return {
    name: `constantRate(${rate})`,
    at: () => rate,
  };
}

/**
 * Linear from `peak / warmup` to `peak` in `warmup` steps, then a half cosine to `final * peak` at step `steps`,
 * and that from there on (Loshchilov and Hutter, "SGDR", ICLR'17, without restarts).
 *
 * ```ts
 * import { cosineRate } from "@schemoe/lab/blocks";
 * const rate = cosineRate({ peak: 0.01, warmup: 5, steps: 20 });
 * console.assert(rate.at(0) === 0.002 && rate.at(4) === 0.01 && rate.at(20) === 0.001);
 * ```
 * @param options.final default 0.1.
 * @throws {SchemoeError} when the warm-up is not shorter than the whole.
 */
export function cosineRate(options: {
  readonly peak: number;
  readonly warmup?: number;
  readonly steps: number;
  readonly final?: number;
}): Rate {
  expect("cosineRate", "options", options, COSINE_RATE_OPTIONS);
  const { peak, warmup = 0, steps, final = 0.1 }: typeof options = Object(options);
  for (const [field, value] of Object.entries({ peak, warmup, steps, final })) {
    if (typeof value !== "number" || Number.isNaN(value)) {
      throw new SchemoeError(
        `Cannot make cosineRate: ${field} must be a number, got ${quoted(value)}`,
      );
    }
  }
  if (!(steps > warmup && warmup >= 0)) {
    throw new SchemoeError(
      `Cannot make cosineRate: a warm-up of ${warmup} of ${steps} steps leaves nothing to decay in`,
    );
  }
  return {
    name: `cosineRate(${peak})`,
    at(step) {
      if (step < warmup) return peak * (step + 1) / warmup;
      const done = Math.min(1, (step - warmup) / (steps - warmup));
      return peak * (final + (1 - final) * (1 + Math.cos(Math.PI * done)) / 2);
    },
  };
}
