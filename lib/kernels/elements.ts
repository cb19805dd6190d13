/** Numbers that kernels handle one by one. @module */
import { anything, aText, expect, listOf, record } from "../arguments/mod.ts";
import type { Kernel } from "../types.ts";

const ELEMENTS_OF_KERNEL = record("a kernel { name, args }", {
  name: aText,
  args: listOf(anything, "arguments"),
});

/** Of each group, rows and columns; of a gate, tokens and experts. */
const OF_GROUPS = new Set(["bias_act", "act_grad", "glu", "glu_grad", "column_sum", "weigh_rows"]);
const OF_SCORES = new Set([
  "softmax",
  "top_k",
  "positions",
  "aux_loss",
  "gate_grad",
  "route",
  "route_grad",
  "place_choices",
  "choose_tokens",
  "round_choices",
]);

/**
 * Numbers that a kernel handles one by one: of an activation or its gradient those of its matrix, of a gate the scores of
 * all tokens and experts; 0 of products, copies and codecs, whose times go by operations and bytes. A number that needs
 * an exponential function costs a processor as much as hundreds of operations of a product.
 *
 * ```ts
 * import { elementsOf, softmax } from "@schemoe/lab/kernels";
 * const view = { buffer: "scores", offset: 0 };
 * console.assert(elementsOf(softmax(16, 8, view, view)) === 16 * 8);
 * ```
 */
export function elementsOf(kernel: Kernel): number {
  expect("elementsOf", "kernel", kernel, ELEMENTS_OF_KERNEL);
  const { name, args, more, counted } = kernel;
  const [first, second, third, fourth] = args as number[];
  if (OF_SCORES.has(name)) return first * second;
  if (!OF_GROUPS.has(name)) return 0;
  // rows of groups that differ are counted all together
  return (more || counted ? 1 : second) * third * fourth;
}
