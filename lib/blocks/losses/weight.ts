/** @module */
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";

/** The weight in the options of a loss. @throws {SchemoeError} unless it is a finite number. */
export function weightOf(name: string, options: { readonly weight: number }): number {
  const { weight }: typeof options = Object(options);
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
