/** An expert that every token goes to. @module */
import { checkFields } from "../arguments/mod.ts";
import type { Expert } from "./experts/types.ts";
import { refuseScores } from "./experts/score_gradient.ts";
import { SchemoeError } from "../types.ts";
import { swiglu } from "./experts/mod.ts";
import { resolveExpert } from "./resolve_expert.ts";
import { quoted } from "../words.ts";

/**
 * An expert on the tokens themselves, whose output is added to that of the routed ones. The parameters are the same on
 * all ranks and their gradients sums over ranks. Several shared experts of a model are one wider one.
 */
export interface SharedExpert {
  /** Width inside it. */
  readonly hiddenDim: number;
  /** A value or, where it needs no options, a name. Default `swiglu()`. */
  readonly expert?: Expert | string;
  /** `sigmoid`: its output is multiplied by sigmoid(x . shared.gate), trained; default `none`. */
  readonly gate?: "none" | "sigmoid";
}

/** A shared expert with nothing left open. */
export interface ResolvedShared extends Required<SharedExpert> {
  /** What it computes. */
  readonly expert: Expert;
}

/** Fills in defaults and checks. @throws {SchemoeError} naming the first field that is wrong. */
export function resolveShared(
  config: SharedExpert | undefined,
  layer: { readonly modelDim: number; readonly experts: number; readonly dtype: string },
): ResolvedShared | undefined {
  if (config === undefined) return undefined;
  const known = ["hiddenDim", "expert", "gate"];
  if (typeof config !== "object" || config === null) {
    fail(`shared must be an object with ${known.join(", ")}, got ${quoted(config)}`);
  }
  checkFields(config, known, { what: "shared", of: "a field of a shared expert", fail });
  const { hiddenDim, gate = "none" } = config;
  if (!Number.isInteger(hiddenDim) || hiddenDim < 1) {
    fail(`hiddenDim of the shared expert must be a positive integer, got ${quoted(hiddenDim)}`);
  }
  if (gate !== "none" && gate !== "sigmoid") {
    fail(`gate of the shared expert must be none or sigmoid, got ${quoted(gate)}`);
  }
  const expert = resolveExpert(config.expert ?? swiglu(), { ...layer, hiddenDim });
  refuseScores(expert, "the shared expert", fail);
  return { hiddenDim, expert, gate };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
