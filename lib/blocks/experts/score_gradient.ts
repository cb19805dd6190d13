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

/** What the option of an expert changes: nothing where gradients of weights come from its outputs. */
export interface Scoring {
  readonly chosen: ScoreGradient;
  /** What the name of the expert says of it. */
  readonly said: string;
  /**
   * Kernels between dA' = dy w2^T and what is behind it: gradients of weights from the activation `h`, with `bias` from
   * `b2` too, then weights times dA', which becomes dA, and times dy, of which come the gradients of w2 and b2.
   */
  kernels(c: ExpertContext, of: { readonly dA: Matrix; readonly bias: boolean }): Kernel[];
  /** Their operations for a row: each value multiplied by the weight, and two operations where it is in a dot product. */
  flops(shape: ExpertShape & { readonly bias: boolean }): number;
}

/** @throws {SchemoeError} for an unknown score gradient. */
export function scoringOf(given: ScoreGradient | undefined): Scoring {
  const chosen = pickScoreGradient(given ?? "output");
  if (chosen === "output") return { chosen, said: "", kernels: () => [], flops: () => 0 };
  return {
    chosen,
    said: "score gradient: activation",
    kernels(c, { dA: d, bias }) {
      if (!c.scores) throw new SchemoeError("Cannot run backward: rows come without their weights");
      const { weights, dWeights: dots } = c.scores;
      const byBias = () => ({ vector: c.parameter("b2"), dots, add: true });
      return [
        weighRows({ d, rows: c.saved("h"), weights, dots }),
        weighRows({ d: c.dy, weights, ...(bias ? byBias() : {}) }),
      ];
    },
    flops: ({ modelDim, hiddenDim, bias }) => 3 * hiddenDim + (bias ? 3 : 1) * modelDim,
  };
}
