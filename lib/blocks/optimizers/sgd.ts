/** Gradient descent with momentum. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import { sgdUpdate } from "../../kernels/mod.ts";
import { SchemoeError } from "../../types.ts";
import type { Optimizer } from "./optimizer.ts";
import { quoted } from "../../words.ts";

const SGD_OPTIONS = options({ momentum: anything });

/**
 * `v = momentum v + g; p = p - rate v`, without weight decay (Sutskever et al., "On the importance of
 * initialization and momentum in deep learning", ICML'13).
 *
 * ```ts
 * import { sgd } from "@schemoe/lab/blocks";
 * console.assert(sgd({ momentum: 0.9 }).states[0] === "velocity");
 * ```
 * @param options.momentum default 0.
 * @throws {SchemoeError} for an unknown option, or a momentum outside of [0, 1).
 */
export function sgd(options: { readonly momentum?: number } = {}): Optimizer {
  expect("sgd", "options", options, SGD_OPTIONS);
  const { momentum = 0 } = options;
  if (!(typeof momentum === "number" && momentum >= 0 && momentum < 1)) {
    throw new SchemoeError(
      `Cannot make the optimizer sgd: momentum must be at least 0 and below 1, got ${
        quoted(momentum)
      }`,
    );
  }
  return {
    name: "sgd",
    states: ["velocity"],
    update: (c) => [sgdUpdate(c.count, { ...c, velocity: c.state("velocity") }, momentum)],
    rates: (rate) => [rate, 1, 1],
  };
}
