/** Options of everything that is made on an engine. @module */
import type { Engine } from "../engine.ts";
import { SchemoeError } from "../types.ts";
import { quoted, unawaited } from "../words.ts";

/**
 * The seed, default 1.
 * @param what is made, for errors: `layer`.
 * @throws {SchemoeError} when the engine is none, or an option is unknown or wrong.
 */
export function seedOf(what: string, engine: Engine, options: { readonly seed?: number }): number {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot make the ${what}: ${problem}`);
  };
  if (typeof engine?.workspace !== "function") {
    fail(`give an engine first, as openEngine makes one${unawaited(engine)}`);
  }
  if (typeof options !== "object" || options === null) {
    fail(`its options are an object such as { seed: 1 }, got ${quoted(options)}`);
  }
  const foreign = Object.keys(options).find((key) => key !== "seed");
  if (foreign) fail(`"${foreign}" is not an option (seed)`);
  const { seed = 1 } = options;
  if (!Number.isSafeInteger(seed)) fail(`seed must be an integer, got ${quoted(seed)}`);
  return seed;
}
