/** 1,000 random orders over NCCL with random delays in the streams, under a watchdog. @module */
import { topK } from "../../blocks/mod.ts";
import { BUILT_IN } from "../../layer/built_in.ts";
import { uniforms } from "../../random.ts";
import { clusterText, openCluster, openDelayed } from "./nccl_engine.ts";
import type { Cluster } from "./options.ts";
import { randomDelays, tryOrders } from "./orders.ts";
import type { Report } from "./report.ts";

const ORDERS = 1000;
const CHUNKS = 4;
const SEED = 20_240_422;
/** Seconds a run may take: some thousand times its usual time. */
const TIME_LIMIT = 15;
/** One operation in four takes up to 0.4 ms longer. */
const DELAYS = { share: 0.25, most: 400e-6 };
const SIZES = { tokens: 64, modelDim: 32, hiddenDim: 48 } as const;

/** Counts of runs: all, with the bits of the copy transport, failed. */
export async function benchNcclOrders(cluster: Cluster): Promise<Report[]> {
  const random = uniforms(SEED);
  using plain = openCluster(cluster, { transport: "copy" });
  using delayed = openDelayed(cluster, { transport: "nccl" }, randomDelays(random, DELAYS));
  const { ranks } = plain.topology;
  const sizes = { ...SIZES, experts: 2 * ranks };
  const config = { ...sizes, gate: topK({ k: 2 }) };
  const rows = await tryOrders({ plain, delayed }, {
    config,
    chunks: CHUNKS,
    count: ORDERS,
    timeLimit: TIME_LIMIT,
    random,
    allToAlls: BUILT_IN.allToAll,
  });
  return [{
    configuration: {
      ...clusterText(cluster),
      ...sizes,
      topK: 2,
      chunks: CHUNKS,
      seed: SEED,
      delays: `${100 * DELAYS.share} % of operations, up to ${1e3 * DELAYS.most} ms`,
      timeLimit: `${TIME_LIMIT} s a run`,
      bits: "of the copy transport, sequential and linear",
    },
    rows,
  }];
}
