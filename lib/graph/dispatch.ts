/** Tokens to the rows of their choices. @module */
import { elementBytes } from "../blocks/mod.ts";
import {
  dispatchRows,
  fill as fillValues,
  fillSlots,
  type Places,
  placeTokens,
} from "../kernels/mod.ts";
import type { Kernel, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { gateContext } from "./gate_context.ts";
import type { Way } from "./way.ts";
import { rowChoices } from "./placed.ts";

const WORD = 4;

/** The rows that a dispatch kernel reads and writes. */
interface DispatchedRows {
  readonly x: View;
  readonly weights?: View;
  readonly out: View;
}

/** Rows that tokens become: where they lie, and their bytes on a rank. */
interface RowsAt {
  readonly places: (rank: number) => Places;
  readonly bytes: number;
}

/** Tokens to their places; `fill` finds out first which choice takes each, where the kernel needs that. */
export function dispatchTokens(
  g: GraphBuilder,
  way: Way,
  { fill, rows = { places: way.rows.places, bytes: rowBytes(way) } }: {
    readonly fill: boolean;
    readonly rows?: RowsAt;
  },
): { readonly uses: View[]; readonly kernels: (rank: number, at: DispatchedRows) => Kernel[] } {
  const { layer } = way;
  const { targets, positions: own } = gateContext(g, layer);
  const { choices, positions, kernels: placed } = rowChoices(g, way);
  const before = (rank: number) => fill ? placed(rank) : [];
  if (way.loads ?? way.counted) {
    // where tokens need not take all places, the others are zeros
    const words = rows.bytes / WORD;
    const zeros = (out: View) => way.limit === undefined ? [] : [fillValues(words, out, 0)];
    return {
      uses: [targets, own, choices, positions],
      kernels: (rank, at) => [
        ...before(rank),
        ...zeros(at.out),
        placeTokens(rows.places(rank), { ...at, choices, positions }),
      ],
    };
  }
  const slots = g.buffer("slots", WORD * layer.slots * way.capacity);
  return {
    uses: [targets, own, choices, positions, slots],
    kernels: (rank, at) => {
      const places = rows.places(rank);
      return [
        ...before(rank),
        ...(fill ? [fillSlots(places, { choices, positions, slots })] : []),
        dispatchRows(places, { ...at, slots }),
      ];
    },
  };
}

/** Bytes of all rows that a rank sends, uncompressed. */
export const rowBytes = ({ layer, rows }: Way): number =>
  elementBytes(layer) * layer.rowDim * rows.sent;
