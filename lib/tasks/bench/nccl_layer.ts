/** The layer of the benchmarks over NCCL, its hidden size still open. @module */
import { type LayerConfig, topK } from "../../blocks/mod.ts";
import type { Engine } from "../../engine.ts";
import { type Balanced, balancedLayer, balanceText, type HiddenSizes } from "./calibrate.ts";
import { type Cluster, sharesGpus } from "./options.ts";
import type { Row } from "./report.ts";

/** A layer, and with which numbers its products are computed. */
interface OpenLayer {
  readonly sizes: Omit<LayerConfig, "hiddenDim" | "experts">;
  readonly hidden: Omit<HiddenSizes, "devices">;
  readonly tf32: boolean;
}

/** Ranks share a GPU, or sockets connect their nodes: 8 MiB a rank in each all-to-all. */
const SHARED: OpenLayer = {
  sizes: { tokens: 1024, modelDim: 1024, gate: topK({ k: 2 }) },
  hidden: { tried: [1024, 3072], multiple: 128, most: 16_384 },
  tf32: false,
};

/**
 * A GPU for each rank: its links are fast enough for 256 MiB a rank, and only products of TF32 leave experts
 * of some size about as much time as those take. Activations stay float32, so that codecs make messages smaller.
 */
const OWN: OpenLayer = {
  sizes: { tokens: 8192, modelDim: 4096, gate: topK({ k: 2 }) },
  hidden: { tried: [512, 1536], multiple: 128, most: 16_384 },
  tf32: true,
};

/** The layer for a cluster. */
export const layerOf = (cluster: Pick<Cluster, "devices" | "emulateNodes">): OpenLayer =>
  sharesGpus(cluster) || cluster.emulateNodes ? SHARED : OWN;

/** That layer with an expert a rank and balanced, and its fields in a report. */
export async function balancedOn(
  engine: Engine,
  cluster: Cluster,
): Promise<Balanced & { text: Row }> {
  const { sizes, hidden } = layerOf(cluster);
  const options = { ...hidden, devices: cluster.devices };
  const found = await balancedLayer(engine, { ...sizes, experts: engine.topology.ranks }, options);
  return { ...found, text: balanceText(found, options) };
}
