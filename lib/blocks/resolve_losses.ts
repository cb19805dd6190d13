/** The losses of a layer. @module */
import { type Loss, SchemoeError } from "../types.ts";

/** Checks a list of losses. @throws {SchemoeError} naming the first that cannot be used. */
export function resolveLosses(losses: readonly Loss[] = []): readonly Loss[] {
  if (!Array.isArray(losses)) {
    fail(`losses must be a list such as [gshard({ weight: 0.01 })], got ${losses}`);
  }
  for (const [i, loss] of losses.entries()) {
    if (typeof loss !== "object" || typeof loss?.name !== "string") {
      fail(`losses[${i}] is not a loss; call it, if it makes one`);
    }
    const { name, weight } = loss;
    if (name !== "gshard") fail(`unknown loss "${name}", known is gshard`);
    if (!Number.isFinite(weight)) {
      fail(`the weight of the loss ${name} must be a finite number, got ${weight}`);
    }
    if (losses.findIndex((other) => other.name === name) < i) fail(`there are two losses ${name}`);
  }
  return losses;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
