/** The losses of a layer. @module */
import type { Gate, GateShape } from "./gates/types.ts";
import type { Loss } from "./losses/types.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

/** Sizes of the layer, by which a gate names its tensors. */
type Sizes = Pick<GateShape, "tokens" | "modelDim" | "experts">;

/**
 * Checks a list of losses for a gate.
 * @throws {SchemoeError} naming the first that cannot be used.
 */
export function resolveLosses(
  losses: readonly Loss[] = [],
  gate: Gate,
  sizes: Sizes,
): readonly Loss[] {
  if (!Array.isArray(losses)) {
    fail(`losses must be a list such as [gshard({ weight: 0.01 })], got ${quoted(losses)}`);
  }
  for (const [i, loss] of losses.entries()) {
    if (typeof loss?.name !== "string" || typeof loss.forward !== "function") {
      const meant = typeof loss === "string" ? `: ${loss}({ weight: 0.01 })` : "";
      fail(`losses[${i}] is not a loss; call it, if it makes one${meant}`);
    }
    const { name, weight } = loss;
    if (!Number.isFinite(weight)) {
      fail(`the weight of the loss ${name} must be a finite number, got ${quoted(weight)}`);
    }
    if (losses.findIndex((other) => other.name === name) < i) fail(`there are two losses ${name}`);
    checkGate(loss, gate, sizes);
  }
  return losses;
}

function checkGate({ name, slopes, first, needs = [] }: Loss, gate: Gate, sizes: Sizes): void {
  const rows = sizes.experts + (gate.identities ?? 0);
  if (slopes.length > 0 && gate.scores === undefined) {
    fail(
      `the gate ${gate.name} does not say how it makes scores, which the loss ${name} needs; a router of one's own ` +
        'says it by scores: "softmax"',
    );
  }
  if (slopes.includes("balance") && gate.scores === "relu") {
    fail(`the loss ${name} needs probabilities, which the scores of the gate ${gate.name} are not`);
  }
  if (first && gate.slots === "experts") {
    fail(
      `the loss ${name} counts first choices, which the gate ${gate.name} does not order; use switchBalance`,
    );
  }
  if (needs.length === 0) return;
  const shape = { ...sizes, rows };
  const names = gate.tensors?.(shape).map((tensor) => tensor.name) ?? ["weight"];
  const missing = needs.find((tensor) => !names.includes(tensor));
  if (missing === undefined) {
    if (!slopes.includes("load") || gate.k < rows) return;
    fail(
      `the loss ${name} needs an expert that a token does not choose: k of the gate ${gate.name} is ${gate.k}, of ` +
        `${rows} experts`,
    );
  }
  const what = slopes.includes("load") ? "noise" : `a tensor "${missing}"`;
  fail(`the loss ${name} needs ${what}, which the gate ${gate.name} has not`);
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
