/** All-to-alls by size over NCCL, beside a plain loop of sends and receives and the copy transport. @module */
import * as allToAlls from "../../alltoall/mod.ts";
import { BUILT_IN } from "../../layer/built_in.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import { busBytesPerSecond, exchanges, secondsOfOne } from "./exchange.ts";
import { clusterText, openCluster, type Transport, transportsOf, worldOf } from "./nccl_engine.ts";
import { plainLoop } from "./nccl_plain.ts";
import { type Cluster, sharesGpus } from "./options.ts";
import { hundredths, type Report, type Row } from "./report.ts";

const KIB = 1 << 10;
/** Bytes a rank holds; those of a world of other than 2^n ranks are rounded up to whole slices. */
const SIZES = [4 * KIB, 32 * KIB, 256 * KIB, 1024 * KIB, 4096 * KIB, 32_768 * KIB];
/** Besides where each rank has a GPU for itself, whose links need more to be filled. */
const LARGE = [131_072 * KIB, 524_288 * KIB];
/** Exchanges between two looks at the clock, as the plain loop has. */
const REPEATS = 8;

/** Times and bus bandwidth of every all-to-all and size. */
export async function benchNcclExchange(cluster: Cluster): Promise<Report[]> {
  const world = worldOf(cluster);
  const sizes = (sharesGpus(cluster) ? SIZES : [...SIZES, ...LARGE]).map((bytes) =>
    world.ranks * Math.ceil(bytes / (16 * world.ranks)) * 16
  );
  // Before any engine has the GPU.
  const plain = await plainLoop(cluster, sizes);
  const columns: { name: string; seconds: (allToAll: string, size: number) => number }[] = [];
  for (const transport of transportsOf(cluster)) {
    const times = await measure(cluster, transport, sizes);
    columns.push({
      name: columnOf(transport),
      seconds: (allToAll, size) => times.get(allToAll)![size],
    });
  }
  columns.splice(1, 0, { name: "plain", seconds: (_, size) => plain[size] });
  const rows = BUILT_IN.allToAll.flatMap((allToAll) =>
    sizes.map((bytes, size): Row => ({
      allToAll,
      bytes,
      ...exchangeColumns(
        columns.map(({ name, seconds }) => ({ name, seconds: seconds(allToAll, size) })),
        (seconds) => hundredths(busBytesPerSecond(bytes, seconds, world.ranks) / 1e9),
      ),
    }))
  );
  return [{
    configuration: {
      ...clusterText(cluster),
      repeats: REPEATS,
      busGBs: "(P-1)/P x bytes a rank / time",
      plain: "sends and receives of all pairs in one group, not through the engine",
      ofPlain: "time of the plain loop / time",
      copy: "copies by kernels; engines: by the copy engines of the GPUs",
    },
    rows,
  }];
}

function columnOf({ transport, copyBy }: Transport): string {
  if (transport === "nccl") return "";
  return copyBy === "engines" ? "engines" : "copy";
}

/** Times and rates under names such as `plainUs` and `plainBusGBs`; those of NCCL are `us` and `busGBs`. */
export function exchangeColumns(
  columns: readonly { readonly name: string; readonly seconds: number }[],
  rate: (seconds: number) => number,
): Row {
  const named = (name: string, what: string) =>
    name === "" ? what[0].toLowerCase() + what.slice(1) : name + what;
  const row: Record<string, number> = {};
  for (const { name, seconds } of columns) {
    row[named(name, "Us")] = micro(seconds);
    row[named(name, "BusGBs")] = rate(seconds);
  }
  const of = (wanted: string) => columns.find(({ name }) => name === wanted)!.seconds;
  return { ...row, ofPlain: hundredths(of("plain") / of("")) };
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
