/** Weights of losses. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";

const OPTIONS = options({ weight: anything });

/**
 * The weight in the options of a loss.
 * @param call the function that makes it, where it has another name.
 * @throws {SchemoeError} for other options, and unless it is a finite number.
 */
export function weightOf(
  name: string,
  options: { readonly weight: number },
  call = name,
): number {
  expect(call, "options", options, OPTIONS);
  const { weight } = options;
  checkWeight(name, weight);
  return weight;
}

/** @throws {SchemoeError} unless the weight of a loss is a finite number. */
export function checkWeight(name: string, weight: number): void {
  if (Number.isFinite(weight)) return;
  throw new SchemoeError(
    `Cannot make the loss ${name}: its weight must be a finite number, got ${quoted(weight)}`,
  );
}
