/**
 * The weights of choices beside the rows of a backward pass, and their gradients back: of experts that take these from
 * their activations. A weight has a row of one column where its row of values has one, whatever the layout.
 * @module
 */
import type { Layer } from "../blocks/mod.ts";
import { combineRows, type Places } from "../kernels/mod.ts";
import { none } from "../compressors/mod.ts";
import { rowLayout } from "../memory/mod.ts";
import type { Kernel, View } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import { rowsBuffer } from "./contexts.ts";
import { dispatchTokens, rowBytes } from "./dispatch.ts";
import { rowChoices } from "./placed.ts";
import { SCORE_BUFFERS, scoresByActivation } from "./score_buffers.ts";
import type { BesideLeg, Way } from "./way.ts";

/** Rows of one float32 where those of a way lie; its layer says that much of rows, and nothing of tensors. */
function columnWay(way: Way): Way {
  const layer: Layer = { ...way.layer, rowDim: 1, dtype: "float32" };
  return { ...way, layer, rows: rowLayout({ ...way, layer }) };
}

/** Each choice as a token of its own, with the one choice. */
export const choicePlaces = (places: Places): Places => ({
  ...places,
  dtype: "float32",
  tokens: places.tokens * places.topK,
  columns: 1,
  topK: 1,
});

/** The weights of a backward pass whose rows cross for each choice. */
export interface RowScores {
  /** Weights to rows: with the rows of gradients. */
  readonly send: {
    readonly uses: readonly View[];
    readonly bytes: number;
    readonly kernels: (rank: number, weights: View) => Kernel[];
  };
  /** Gradients that came back to choices. */
  readonly gather: {
    readonly uses: readonly View[];
    readonly bytes: number;
    readonly kernels: (rank: number, dWeights: View) => Kernel[];
  };
  /** Beside the legs towards the experts and back. */
  readonly out: BesideLeg;
  readonly back: BesideLeg;
}

/** The weights of a backward pass; none of experts that do not take them. */
export function rowScores(g: GraphBuilder, way: Way): RowScores | undefined {
  const { layer } = way;
  if (!scoresByActivation(layer)) return undefined;
  const column = columnWay(way);
  const bytes = rowBytes(column);
  const buffer = (name: string, own: string) => {
    const chosen = rowsBuffer(way, name, own);
    if (chosen !== own) g.buffer(chosen, () => bytes, "pass");
    return { buffer: chosen, offset: 0 };
  };
  const sent = buffer("backward.weights.sent", SCORE_BUFFERS.weights);
  const returned = buffer("backward.weights.returned", SCORE_BUFFERS.dWeights);
  const places = (rank: number) => choicePlaces(way.rows.places(rank));
  const spread = dispatchTokens(g, way, { fill: false, rows: { places, bytes } });
  const { choices, positions } = rowChoices(g, way);
  const beside = { way: column, name: "weights", compressor: none };
  return {
    send: {
      uses: [...spread.uses, sent],
      bytes: 2 * bytes,
      kernels: (rank, weights) => spread.kernels(rank, { x: weights, out: sent }),
    },
    gather: {
      uses: [returned, choices, positions],
      bytes: 2 * bytes,
      kernels: (rank, y) => [combineRows(places(rank), { rows: returned, choices, positions, y })],
    },
    out: { ...beside, from: sent.buffer, to: SCORE_BUFFERS.weights },
    back: { ...beside, from: SCORE_BUFFERS.dWeights, to: returned.buffer },
  };
}
