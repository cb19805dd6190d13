/** Slots of experts that are computed elsewhere than where their parameters are, and the rows for them. @module */
import { tokensOf } from "../blocks/mod.ts";
import { placeCopies } from "../kernels/mod.ts";
import { rowChoicesOf } from "../memory/mod.ts";
import type { Kernel, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { gateContext } from "./gate_context.ts";
import type { Way } from "./way.ts";

const WORD = 4;

/** Choices and positions that the rows of tokens are laid out by, and the kernels that make them of those of the gate. */
export function rowChoices(g: GraphBuilder, way: Pick<Way, "layer" | "limit">): {
  readonly choices: View;
  readonly positions: View;
  readonly kernels: (rank: number) => Kernel[];
} {
  const { layer, limit } = way;
  const { placed, tokens, topK: k, experts, slots } = layer;
  const names = rowChoicesOf(way);
  const { targets: from, positions } = gateContext(g, layer);
  if (names.own) return { choices: from, positions, kernels: () => [] };
  const bytes = WORD * tokens * k;
  const [choices, places] = [g.buffer(names.choices, bytes), g.buffer(names.positions, bytes)];
  const capacity = limit === undefined ? {} : { capacity: limit };
  const kernels = (rank: number) => [
    placeCopies(
      { tokens: tokensOf(layer, rank), k, experts, slots, ...capacity },
      (expert) => placed?.targets(rank, expert) ?? [expert],
      { choices: from, positions, targets: choices, places },
    ),
  ];
  return { choices, positions: places, kernels };
}
