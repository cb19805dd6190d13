/** Slots of experts that are computed elsewhere than where their parameters are, and the rows for them. @module */
import { tokensOf } from "../blocks/mod.ts";
import { placeCopies } from "../kernels/mod.ts";
import { positionsOf, rowChoicesOf } from "../memory/mod.ts";
import type { Kernel, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { tensorsOf } from "./contexts.ts";
import { gateContext } from "./gate_context.ts";
import type { Way } from "./leg.ts";

/** Choices and positions that the rows of tokens are laid out by, and the kernels that make them of those of the gate. */
export function rowChoices(
  g: GraphBuilder,
  { layer, limit }: Pick<Way, "layer" | "limit">,
): {
  readonly choices: View;
  readonly positions: View;
  readonly kernels: (rank: number) => Kernel[];
} {
  const { placed, topK: k, experts, slots } = layer;
  const table = tensorsOf(layer);
  const choices = g.tensor(table, rowChoicesOf(layer));
  const places = g.tensor(table, positionsOf(layer));
  if (!placed) return { choices, positions: places, kernels: () => [] };
  const { targets: from, positions } = gateContext(g, layer);
  const kernels = (rank: number) => [
    placeCopies(
      {
        tokens: tokensOf(layer, rank),
        k,
        experts,
        slots,
        ...(limit === undefined ? {} : { capacity: limit }),
      },
      (expert) => placed.targets(rank, expert),
      { choices: from, positions, targets: choices, places },
    ),
  ];
  return { choices, positions: places, kernels };
}
