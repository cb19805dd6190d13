/** Adam with decoupled weight decay. @module */
import {
  aNumber,
  anything,
  atLeastZero,
  expect,
  maybe,
  numbersOf,
  options,
  positive,
} from "../../arguments/mod.ts";
import { adamwUpdate } from "../../kernels/mod.ts";
import { SchemoeError } from "../../types.ts";
import type { Optimizer } from "./optimizer.ts";
import { quoted } from "../../words.ts";

const ADAMW_OPTIONS = options({
  betas: maybe(numbersOf(aNumber)),
  epsilon: maybe(positive),
  weightDecay: maybe(atLeastZero),
  decays: anything,
});

/** Options of `adamw`. */
export interface AdamwOptions {
  /** Default [0.9, 0.95]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0.1. */
  readonly weightDecay?: number;
  /** Whether weight decay applies to the parameter of a name; default to matrices, not to embeddings, norms and biases. */
  readonly decays?: (parameter: string) => boolean;
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR'19).
 *
 * ```ts
 * import { adamw } from "@schemoe/lab/blocks";
 * console.assert(adamw({ weightDecay: 0 }).states.length === 2);
 * ```
 * @throws {SchemoeError} for an unknown option, betas outside of [0, 1) or `decays` that is no function.
 */
export function adamw(options: AdamwOptions = {}): Optimizer {
  expect("adamw", "options", options, ADAMW_OPTIONS);
  const { betas = [0.9, 0.95], epsilon = 1e-8, weightDecay = 0.1, decays } = options;
  if (betas.length !== 2 || !betas.every((beta) => beta >= 0 && beta < 1)) {
    fail(`betas must be two numbers of at least 0 and below 1, got ${quoted(betas)}`);
  }
  if (decays !== undefined && typeof decays !== "function") {
    fail(`decays must be a function of a parameter's name, got ${quoted(decays)}`);
  }
  const [beta1, beta2] = betas;
  return {
    name: "adamw",
    states: ["first", "second"],
    update: (c) => [
      adamwUpdate(c.count, { ...c, first: c.state("first"), second: c.state("second") }, {
        betas,
        epsilon,
        decay: (decays ? decays(c.name) : c.decayed) ? weightDecay : 0,
      }),
    ],
    rates: (rate, n) => [rate, 1 - beta1 ** n, 1 - beta2 ** n],
  };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the optimizer adamw: ${problem}`);
}
