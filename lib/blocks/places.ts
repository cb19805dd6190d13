/** How a model knows where a token is in its sequence, as values. @module */
import { anything, expect, options } from "../arguments/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";

const ROTARY_POSITIONS_OPTIONS = options({ base: anything });

/** Positions of tokens. */
export interface PositionCoding {
  /** What configurations call it: `learnedPositions` or `rotaryPositions`. */
  readonly name: string;
  /** `added`: a trained row for each position; `turned`: queries and keys are turned by their position. */
  readonly kind: "added" | "turned";
  /** Of `turned`. */
  readonly base: number;
}

/** A trained row for each position, added to the embedding. */
export const learnedPositions = (): PositionCoding => ({
  name: "learnedPositions",
  kind: "added",
  base: 0,
});

/**
 * Queries and keys are turned by their position, halves of a head paired (Su et al., "RoFormer", 2021).
 *
 * ```ts
 * import { rotaryPositions } from "@schemoe/lab/blocks";
 * console.assert(rotaryPositions().base === 10000);
 * ```
 * @throws {SchemoeError} for a base that is not positive.
 */
export function rotaryPositions(options: { readonly base?: number } = {}): PositionCoding {
  expect("rotaryPositions", "options", options, ROTARY_POSITIONS_OPTIONS);
  const { base = 10000 } = options;
  if (!(typeof base === "number" && base > 0)) {
    throw new SchemoeError(
      `Cannot make rotaryPositions: base must be positive, got ${quoted(base)}`,
    );
  }
  return { name: "rotaryPositions", kind: "turned", base };
}
