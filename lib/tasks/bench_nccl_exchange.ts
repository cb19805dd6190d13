/** All-to-alls by size over NCCL, beside a plain loop of sends and receives and the copy transport. @module */
import * as allToAlls from "../alltoall/mod.ts";
import { BUILT_IN } from "../moe/choices.ts";
import type { AllToAll } from "../types.ts";
import { busBytesPerSecond, exchanges, secondsOfOne } from "./bench_exchange.ts";
import { clusterText, openCluster, type Transport, worldOf } from "./bench_nccl_engine.ts";
import { plainLoop } from "./bench_nccl_plain.ts";
import type { Cluster } from "./bench_options.ts";
import { hundredths, type Report, type Row } from "./bench_report.ts";

const KIB = 1 << 10;
/** Bytes a rank holds; those of a world of other than 2^n ranks are rounded up to whole slices. */
const SIZES = [4 * KIB, 32 * KIB, 256 * KIB, 1024 * KIB, 4096 * KIB, 32_768 * KIB];
/** Exchanges between two looks at the clock, as the plain loop has. */
const REPEATS = 8;

/** Times and bus bandwidth of every all-to-all and size. */
export async function benchNcclExchange(cluster: Cluster): Promise<Report[]> {
  const world = worldOf(cluster);
  const sizes = SIZES.map((bytes) => world.ranks * Math.ceil(bytes / (16 * world.ranks)) * 16);
  // Before any engine has the GPU.
  const plain = await plainLoop(cluster, sizes);
  const times = {
    nccl: await measure(cluster, "nccl", sizes),
    copy: await measure(cluster, "copy", sizes),
  };
  const rows: Row[] = [];
  for (const name of BUILT_IN.allToAll) {
    for (const [i, bytes] of sizes.entries()) {
      const seconds = times.nccl.get(name)![i];
      rows.push({
        ...{ allToAll: name, bytes, us: micro(seconds), busGBs: rate(bytes, seconds) },
        ...{ plainUs: micro(plain[i]), plainBusGBs: rate(bytes, plain[i]) },
        ofPlain: hundredths(plain[i] / seconds),
        ...{ copyUs: micro(times.copy.get(name)![i]) },
        copyBusGBs: rate(bytes, times.copy.get(name)![i]),
      });
    }
  }
  function rate(bytes: number, seconds: number): number {
    return hundredths(busBytesPerSecond(bytes, seconds, world.ranks) / 1e9);
  }
  return [{
    configuration: {
      ...clusterText(cluster),
      repeats: REPEATS,
      busGBs: "(P-1)/P x bytes a rank / time",
      plain: "sends and receives of all pairs in one group, not through the engine",
      ofPlain: "time of the plain loop / time",
    },
    rows,
  }];
}

const micro = (seconds: number): number => Math.round(seconds * 1e7) / 10;

/** Seconds of an exchange by name and size. */
async function measure(cluster: Cluster, transport: Transport, sizes: readonly number[]) {
  using engine = openCluster(cluster, transport);
  const times = new Map<string, number[]>();
  for (const name of BUILT_IN.allToAll) {
    const algorithm = (allToAlls as unknown as Record<string, AllToAll>)[name];
    const list: number[] = [];
    for (const bytes of sizes) {
      const program = exchanges(engine.topology, algorithm, { bytes, count: REPEATS });
      list.push(await secondsOfOne(engine, program));
    }
    times.set(name, list);
  }
  return times;
}
