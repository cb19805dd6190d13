/** The paper's models and layers, as far as their sizes are printed. @module */
import { topK } from "../../blocks/mod.ts";
import type { LayerConfig } from "../../blocks/layer_config.ts";
import type { WorkloadName } from "./published.ts";

/** Equal Mixture-of-Experts layers one after another; what is between them is not described. */
export interface Workload {
  /** Number of equal layers. */
  readonly layers: number;
  /** Sizes of each. */
  readonly layer: LayerConfig;
}

/** Sizes of one layer: B L tokens on each of 32 ranks with one expert each. */
export interface Sizes {
  readonly tokens: number;
  readonly modelDim: number;
  readonly hiddenDim: number;
  readonly capacityFactor: number;
}

/** A layer of the paper: 32 experts, one choice a token. */
export const layerOf = ({ capacityFactor, ...sizes }: Sizes): LayerConfig => ({
  ...sizes,
  experts: 32,
  gate: topK({ k: 1 }),
  routing: { capacityFactor },
});

/** Table 5: B 136, L 31, M and H 512. */
const ctMoE = (layers: number): Workload => ({
  layers,
  layer: layerOf({ tokens: 136 * 31, modelDim: 512, hiddenDim: 512, capacityFactor: 1 }),
});

export const WORKLOADS: Readonly<Record<WorkloadName, Workload>> = {
  "CT-MoE-12": ctMoE(12),
  "CT-MoE-16": ctMoE(16),
  "CT-MoE-20": ctMoE(20),
  "CT-MoE-24": ctMoE(24),
  // an all-to-all of 524,288 bytes is 128 tokens; 6.5 billion parameters are 24 layers
  "BERT-Large-MoE": {
    layers: 24,
    layer: layerOf({ tokens: 128, modelDim: 1024, hiddenDim: 4096, capacityFactor: 1 }),
  },
  // table 10: its "640 MB" of input fit one choice a token
  "ablation layer": {
    layers: 1,
    layer: layerOf({ tokens: 8 * 2048, modelDim: 8192, hiddenDim: 8192, capacityFactor: 1.2 }),
  },
};

/** Table 4: all layers of the grid, with how many of them have these sizes. */
export function gridLayers(): { readonly sizes: Sizes; readonly count: number }[] {
  const found = new Map<string, { sizes: Sizes; count: number }>();
  const widths = [512, 1024, 2048, 4096, 8192];
  for (const b of [2, 4, 8]) {
    for (const capacityFactor of [1, 1.1, 1.2]) {
      for (const l of [512, 1024, 2048]) {
        for (const hiddenDim of widths) {
          for (const modelDim of widths) {
            const sizes = { tokens: b * l, modelDim, hiddenDim, capacityFactor };
            const key = Object.values(sizes).join();
            const known = found.get(key);
            if (known) known.count++;
            else found.set(key, { sizes, count: 1 });
          }
        }
      }
    }
  }
  return [...found.values()];
}
