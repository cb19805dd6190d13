import type { LayerConfig } from "../../blocks/mod.ts";
import type { GoldenCase } from "../../studies/golden.ts";
import type { GoldenTraining } from "../../studies/golden_training.ts";
import { SchemoeError } from "../../types.ts";

/**
 * The same case without padding: its capacity, which comes from the routing, is not rounded up.
 * @throws {SchemoeError} where the capacity may drop tokens.
 */
export function withoutPadding(golden: GoldenCase): GoldenCase {
  return { ...golden, config: { ...golden.config, routing: unpadded(golden, golden.config) } };
}

/** The same training run, its layers of experts likewise. @throws {SchemoeError} likewise. */
export function trainingWithoutPadding(golden: GoldenTraining): GoldenTraining {
  const layers = golden.model.layers.map((block) =>
    "moe" in block ? { moe: { ...block.moe, routing: unpadded(golden, block.moe) } } : block
  );
  return { ...golden, model: { ...golden.model, layers } };
}

function unpadded({ name }: { readonly name: string }, { routing }: Pick<LayerConfig, "routing">) {
  const { capacityFactor = 1, priority } = routing ?? {};
  if (capacityFactor !== 0) {
    throw new SchemoeError(
      `Cannot compute the case "${name}" without padding: its capacityFactor ${capacityFactor} may ` +
        "drop tokens; leave --dropless out for it",
    );
  }
  return { priority, dropless: true } as const;
}
