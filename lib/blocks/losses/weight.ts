/** @module */
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";

/** @throws {SchemoeError} unless the weight of a loss is a finite number. */
export function checkWeight(name: string, weight: number): void {
  if (Number.isFinite(weight)) return;
  throw new SchemoeError(
    `Cannot make the loss ${name}: its weight must be a finite number, got ${quoted(weight)}`,
  );
}
