/** Options that gates share, with their defaults. @module */
import type { GateScores } from "../../kernels/types.ts";
import { scoresCode } from "../../kernels/mod.ts";
import { quoted } from "../../words.ts";
import { linearLogits } from "./linear_logits.ts";
import { failGate, type Logits } from "./routed.ts";

/** Options of weights. */
export interface WeightOptions {
  /** How logits become scores; default `softmax`. */
  readonly scores?: GateScores;
  /**
   * Divide the weights of a token by their sum (before dropping), where a token has room for more than one choice; in a gate
   * whose tokens may have any number, those with one choice then weigh it 1.
   */
  readonly normalize?: boolean;
  /** Factor of all weights, after that; default 1. */
  readonly scale?: number;
  /** Operand of a weight: the expert's output (default) or its input. */
  readonly weighs?: "output" | "input";
}

/** Where logits come from. */
export interface LogitsOption {
  /**
   * How tokens become logits: `linearLogits({ bias: true })`, `cosineLogits({ width })`, or `noisyLogits()` of these;
   * default `linearLogits()`.
   */
  readonly logits?: Logits;
}

/** The logits of a gate. @throws {SchemoeError} for a value that has not their functions. */
export function logitsOption(gate: string, { logits = linearLogits() }: LogitsOption): Logits {
  if (
    (["tensors", "forward", "backward", "flops"] as const).every((name) =>
      typeof logits?.[name] === "function"
    )
  ) {
    return logits;
  }
  failGate(
    gate,
    `logits must be a value such as linearLogits({ bias: true }), got ${quoted(logits)}`,
  );
}

/** Fills in defaults and checks. @throws {SchemoeError} naming gate and option. */
export function weightOptions(
  gate: string,
  { scores = "softmax", normalize = true, scale = 1, weighs = "output" }: WeightOptions,
): Required<WeightOptions> {
  scoresCode(scores);
  if (typeof normalize !== "boolean") {
    failGate(gate, `normalize must be true or false, got ${quoted(normalize)}`);
  }
  if (!Number.isFinite(scale)) {
    failGate(gate, `scale must be a finite number, got ${quoted(scale)}`);
  }
  return { scores, normalize, scale, weighs };
}

/** @throws {SchemoeError} unless the value is a positive integer. */
export function checkCount(gate: string, name: string, value: number, least = 1): void {
  if (Number.isInteger(value) && value >= least) return;
  failGate(
    gate,
    `${name} must be ${least > 0 ? "a positive" : "a non-negative"} integer, got ${quoted(value)}`,
  );
}
