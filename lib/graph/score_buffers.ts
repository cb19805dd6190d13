/** The weights of the rows of experts that take gradients of weights from their activations. @module */
import type { Layer } from "../blocks/mod.ts";
import { SchemoeError } from "../types.ts";
import type { GraphBuilder } from "./builder.ts";
import type { Codecs, Way } from "./way.ts";
import { isPlain } from "./wire.ts";

const WORD = 4;

/** Buffers of the weights of rows, and of their gradients: float32 [rows]. */
export const SCORE_BUFFERS = { weights: "expert.weights", dWeights: "expert.dWeights" } as const;

/** Whether gradients of weights come from activations, so that outputs of experts are not kept. */
export const scoresByActivation = ({ expert }: Pick<Layer, "expert">): boolean =>
  expert.scoreGradient === "activation";

/** @throws {SchemoeError} for a combine codec, whose output is no function of the activation. */
export function checkScoreGradient(
  layer: Pick<Layer, "expert">,
  { combine }: Pick<Codecs, "combine">,
): void {
  if (!scoresByActivation(layer) || isPlain(combine)) return;
  const { expert } = layer;
  throw new SchemoeError(
    `Cannot run the pass: the expert "${expert.name}" takes the gradient of weights from its activations, of which the ` +
      `outputs that the combine codec "${combine.name}" gives are no function; choose combine: "none", or make the ` +
      'expert with scoreGradient "output"',
  );
}

/** Declares both in a backward pass. */
export function declareScores(g: GraphBuilder, way: Way): string[] {
  if (!scoresByActivation(way.layer) || g.pass === "forward") return [];
  return Object.values(SCORE_BUFFERS).map((name) =>
    g.buffer(name, () => WORD * way.rows.room, "pass").buffer
  );
}
