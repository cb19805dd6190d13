/** Where the gradient of the weights of choices comes from: what experts gave, or their activations. @module */
import { type Kernel, SchemoeError } from "../../types.ts";
import { weighRows } from "../../kernels/mod.ts";
import type { Matrix } from "../../kernels/types.ts";
import { didYouMean, quoted } from "../../words.ts";
import type { Expert, ExpertContext, ExpertShape, ScoreGradient } from "./types.ts";

/** All of them. */
const SCORE_GRADIENTS: readonly ScoreGradient[] = ["output", "activation"];

/** @throws {SchemoeError} for an unknown one. */
export function pickScoreGradient(given: unknown): ScoreGradient {
  const found = SCORE_GRADIENTS.find((name) => name === given);
  if (found) return found;
  throw new SchemoeError(
    `Unknown scoreGradient ${quoted(given)}: choose one of ${SCORE_GRADIENTS.join(", ")}${
      didYouMean(`${given}`, SCORE_GRADIENTS)
    }`,
  );
}

/** Calls `fail` for an expert of every token, whose output has no weight of a choice. */
export function refuseScores(
  { name, scoreGradient }: Expert,
  what: string,
  fail: (problem: string) => never,
): void {
  if (scoreGradient !== "activation") return;
  fail(
    `${what} "${name}" takes the gradient of the weights of choices from its activations, and its output has no such ` +
      "weight; leave its scoreGradient out",
  );
}

/** What the name of an expert says of it. */
export const scoreGradientName = (chosen: ScoreGradient): string =>
  chosen === "activation" ? "score gradient: activation" : "";

/**
 * Kernels between dA' = dy w2^T and what is behind it: gradients of weights, then weights times dA', which becomes dA,
 * and times dy, of which come the gradients of w2 and b2.
 */
export function weighGradients(
  c: ExpertContext,
  { dA, activation, bias }: {
    readonly dA: Matrix;
    readonly activation: Matrix;
    readonly bias?: Matrix;
  },
): Kernel[] {
  if (!c.scores) throw new SchemoeError("Cannot run backward: rows come without their weights");
  const { weights, dWeights: dots } = c.scores;
  return [
    weighRows({ d: dA, rows: activation, weights, dots }),
    weighRows(bias ? { d: c.dy, vector: bias, weights, dots, add: true } : { d: c.dy, weights }),
  ];
}

/** Their operations for a row: each value multiplied by the weight, and two operations where it is in a dot product. */
export const weighFlops = (
  { modelDim, hiddenDim, bias }: ExpertShape & { readonly bias: boolean },
): number => 3 * hiddenDim + (bias ? 3 : 1) * modelDim;
