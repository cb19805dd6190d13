import type { GoldenCase } from "../../studies/golden.ts";
import { SchemoeError } from "../../types.ts";

/**
 * The same case without padding: its capacity, which comes from the routing, is not rounded up.
 * @throws {SchemoeError} where the capacity may drop tokens.
 */
export function withoutPadding(golden: GoldenCase): GoldenCase {
  const { capacityFactor = 1, priority } = golden.config.routing ?? {};
  if (capacityFactor !== 0) {
    throw new SchemoeError(
      `Cannot compute the case "${golden.name}" without padding: its capacityFactor ${capacityFactor} may ` +
        "drop tokens; leave --dropless out for it",
    );
  }
  return { ...golden, config: { ...golden.config, routing: { priority, dropless: true } } };
}
