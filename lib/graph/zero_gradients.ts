/** Gradients that chunks are added to in any order. @module */
import type { Layer } from "../blocks/mod.ts";
import { fill } from "../kernels/mod.ts";
import { SchemoeError, type Task } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";
import { declareGuests } from "./guests.ts";

const WORD = 4;

/**
 * Sets the gradients of the experts' parameters to 0, so that no chunk needs to be the first. It comes after
 * `after`, where compute would wait for the first all-to-all.
 *
 * @throws {SchemoeError} for a gradient of an odd number of bfloat16 values, of which words cannot be made.
 */
export function addZeroGradients(
  g: GraphBuilder,
  layer: Layer,
  { after, stage, names }: {
    readonly after: readonly Task[];
    readonly stage: number;
    readonly names: readonly string[];
  },
): Task {
  const table = tensorsOf(layer);
  const gradients = names.map((name) => {
    const tensor = `grad.experts.${name}`;
    const bytes = table.localBytes(tensor);
    if (bytes % WORD === 0) return { out: g.tensor(table, tensor), words: bytes / WORD };
    throw new SchemoeError(
      `Cannot sum weight gradients in any order: ${tensor} has ${bytes} bytes, not whole words of ${WORD}`,
    );
  });
  for (const { guests, bytes } of declareGuests(g, layer, "grad.")) {
    gradients.push({ out: guests, words: Math.ceil(layer.placed!.mostGuests * bytes / WORD) });
  }
  return g.add({
    kind: "opaque",
    label: "zero",
    chunk: -1,
    stage,
    after,
    bytes: gradients.reduce((sum, { words }) => sum + WORD * words, 0),
    uses: gradients.map(({ out }) => out),
    kernels: () => gradients.map(({ out, words }) => fill(words, out, 0)),
  });
}
