/** Uneven routings over NCCL between nodes: all-to-alls, and passes of stages beside experts, and their bounds. @module */
import { balancingTimes, rowsOf } from "./balancing_rows.ts";
import { boundOfRates, fasterOf, fastestRates, ratesText } from "./fastest_rates.ts";
import { fittedWorld, linksText } from "./fitted_world.ts";
import { clusterText, openCluster } from "./nccl_engine.ts";
import { type Cluster, sharesGpus } from "./options.ts";
import type { Report } from "./report.ts";

/** Tokens of 2,048 values of 4 bytes: 16 MiB of each rank, of which latencies are a small part. */
const SIZES = { tokens: 1024, topK: 2, tokenBytes: 2048 * 4 };
/** Between GPUs of one node that no ranks share 256 MiB are. */
const OWN_TOKENS = 16 * 1024;
const EXPERTS_OF_A_RANK = 2;
/** Bytes of a message by which links are measured. */
const MESSAGE = { shared: 4 << 20, own: 64 << 20 };

/**
 * Zipf 0 to 1.2; links are measured first, and plans and simulated times are of the links that were found. Bounds are of
 * the fastest that ranks, nodes and all together were seen to be, before or after.
 */
export async function benchNcclBalancing(cluster: Cluster): Promise<Report[]> {
  using engine = openCluster(cluster, { transport: "nccl" });
  const own = cluster.nodes === 1 && !sharesGpus(cluster);
  const sizes = {
    ...SIZES,
    ...(own ? { tokens: OWN_TOKENS } : {}),
    experts: EXPERTS_OF_A_RANK * engine.topology.ranks,
  };
  const large = own ? MESSAGE.own : MESSAGE.shared;
  const before = await fastestRates(engine, { large });
  const world = await fittedWorld(engine, { large });
  const times = await balancingTimes({ engine, world }, sizes);
  const rates = fasterOf(before, await fastestRates(engine, { large }));
  const bound = boundOfRates(world, rates);
  return [{
    configuration: {
      ...clusterText(cluster),
      ...sizes,
      ...linksText(world),
      links: `lines through exchanges of 64 KiB and ${large >> 20} MiB in this run`,
      ...ratesText(rates),
      bound: "by the fastest rates in this run",
      expertTimes: `as long as their bytes over a link ${
        cluster.nodes > 1 ? "between nodes" : "between ranks"
      }, without kernels`,
    },
    rows: rowsOf(times, { column: "ncclMs", bound, spread: rates.spread }),
  }];
}
