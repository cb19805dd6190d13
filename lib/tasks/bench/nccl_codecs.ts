/** What a codec gains between two nodes over NCCL. @module */
import { type LayerConfig, topK } from "../../blocks/mod.ts";
import { codecReport, COMPARED } from "./codecs.ts";
import { clusterText, openCluster } from "./nccl_engine.ts";
import { type Cluster, sharesGpus } from "./options.ts";
import type { Report } from "./report.ts";

/** Ranks share a GPU: 8 MiB a rank in each all-to-all. */
const SHARED = { tokens: 1024, modelDim: 1024, hiddenDim: 4096 };
/** A GPU for each rank: 32 MiB a rank. */
const OWN = { tokens: 2048, modelDim: 2048, hiddenDim: 8192 };

/** The best schedule of each codec on a cluster, whose nodes NCCL connects by sockets where they are emulated. */
export async function benchNcclCodecs(cluster: Cluster): Promise<Report[]> {
  const shared = sharesGpus(cluster);
  using engine = openCluster(cluster, { transport: "nccl" }, { tf32: !shared });
  const { ranks } = engine.topology;
  const config: LayerConfig = {
    ...(shared ? SHARED : OWN),
    experts: ranks,
    gate: topK({ k: Math.min(2, ranks) }),
  };
  const report = await codecReport(engine, config, { ...COMPARED, seconds: cluster.seconds });
  return [{ ...report, configuration: { ...clusterText(cluster), ...report.configuration } }];
}
