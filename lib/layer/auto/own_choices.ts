/** What a user of `scheduler: "auto"` chose himself. @module */
import type { PassChoices } from "../choices.ts";
import { nameOf } from "./grid.ts";

/** Choices beside the scheduler, of those that tuning would make. */
export function ownChoices({ allToAll, compressor, chunks }: PassChoices): PassChoices {
  return {
    ...(allToAll === undefined ? {} : { allToAll }),
    ...(compressor === undefined ? {} : { compressor }),
    ...(chunks === undefined ? {} : { chunks }),
  };
}

/**
 * Values as text, functions by their source: objects that are made anew for each pass, such as a pair of codecs, are
 * the same as those of the pass before. Of an object that holds itself, the name.
 */
export function written(value: object): string {
  const around: unknown[] = [];
  return JSON.stringify(value, function (this: unknown, _, part) {
    if (typeof part === "bigint" || typeof part === "symbol") return String(part);
    if (typeof part === "function") return `${part}`;
    if (typeof part !== "object" || part === null) return part;
    around.splice(around.indexOf(this) + 1);
    if (around.includes(part)) return nameOf(part);
    around.push(part);
    return part;
  });
}
