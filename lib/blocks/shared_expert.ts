/** An expert that every token goes to. @module */
import type { Expert } from "./experts/types.ts";
import { SchemoeError } from "../types.ts";
import { checkExpert } from "./experts/check.ts";
import { swiglu } from "./experts/mod.ts";
import { didYouMean, quoted } from "../words.ts";

/**
 * An expert on the tokens themselves, whose output is added to that of the routed ones. The parameters are the same on
 * all ranks and their gradients sums over ranks. Several shared experts of a model are one wider one.
 */
export interface SharedExpert {
  /** Width inside it. */
  readonly hiddenDim: number;
  /** Default `swiglu()`. */
  readonly expert?: Expert;
  /** `sigmoid`: its output is multiplied by sigmoid(x . shared.gate), trained; default `none`. */
  readonly gate?: "none" | "sigmoid";
}

/** Fills in defaults and checks. @throws {SchemoeError} naming the first field that is wrong. */
export function resolveShared(
  config: SharedExpert | undefined,
  layer: { readonly modelDim: number; readonly experts: number; readonly dtype: string },
): Required<SharedExpert> | undefined {
  if (config === undefined) return undefined;
  const known = ["hiddenDim", "expert", "gate"];
  if (typeof config !== "object" || config === null) {
    fail(`shared must be an object with ${known.join(", ")}, got ${quoted(config)}`);
  }
  const foreign = Object.keys(config).find((key) => !known.includes(key));
  if (foreign) {
    fail(
      `"${foreign}" is not a field of a shared expert (${known.join(", ")})${
        didYouMean(foreign, known)
      }`,
    );
  }
  const { hiddenDim, expert = swiglu(), gate = "none" } = config;
  if (!Number.isInteger(hiddenDim) || hiddenDim < 1) {
    fail(`hiddenDim of the shared expert must be a positive integer, got ${quoted(hiddenDim)}`);
  }
  if (gate !== "none" && gate !== "sigmoid") {
    fail(`gate of the shared expert must be none or sigmoid, got ${quoted(gate)}`);
  }
  checkExpert(expert, { ...layer, hiddenDim });
  return { hiddenDim, expert, gate };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
