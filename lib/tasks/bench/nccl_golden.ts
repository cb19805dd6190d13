/** Reference cases over NCCL: on one node, on emulated nodes, and over two processes. @module */
import { BUILT_IN } from "../../layer/built_in.ts";
import { spawnWorkers } from "../../workers/mod.ts";
import { type GoldenCount, goldenOn, goldenRow, pairs, tryGolden } from "./golden.ts";
import { clusterText, openCluster, transportsOf } from "./nccl_engine.ts";
import type { Cluster } from "./options.ts";
import type { Report, Row } from "./report.ts";

const NODES = [1, 2, 4];
const PROCESSES = 2;

/** A line for each case and world; bits are those of copies by kernels. */
export async function benchNcclGolden(cluster: Cluster): Promise<Report[]> {
  const ranks = cluster.nodes * cluster.ranksPerNode;
  const { cases, leftOut } = goldenOn(ranks);
  const among = pairs(BUILT_IN.scheduler, BUILT_IN.allToAll);
  const rows: Row[] = [];
  let copied: GoldenCount[] | undefined;
  const add = (transport: string, world: string, counts: readonly GoldenCount[]) => {
    copied ??= [...counts];
    const more = counts.map((count, i) => ({ transport, world, ...goldenRow(count, copied![i]) }));
    for (const row of more) console.error(JSON.stringify(row));
    rows.push(...more);
  };
  for (const transport of transportsOf(cluster).filter(({ copyBy }) => copyBy)) {
    const world = { ...cluster, nodes: 1, ranksPerNode: ranks, emulateNodes: false };
    using engine = openCluster(world, transport);
    add(`copy by ${transport.copyBy}`, `1 x ${ranks}`, await tryGolden(engine, cases, { among }));
  }
  for (const nodes of NODES.filter((nodes) => ranks % nodes === 0)) {
    const world = { nodes, ranksPerNode: ranks / nodes, emulateNodes: nodes > 1 };
    using engine = openCluster({ ...cluster, ...world }, { transport: "nccl" });
    const text = `${nodes} x ${ranks / nodes}${nodes > 1 ? ", emulated nodes" : ""}`;
    add("nccl", text, await tryGolden(engine, cases, { among }));
  }
  {
    // Processes take turns on a GPU: as many pairs as there is time for.
    await using workers = await spawnWorkers(PROCESSES - 1);
    using engine = await workers.openEngine({
      kind: "cuda",
      nodes: PROCESSES,
      ranksPerNode: ranks / PROCESSES,
      emulateNodes: true,
      devices: cluster.devices,
    });
    const until = performance.now() + 1000 * cluster.seconds;
    const counts = await tryGolden(engine, cases, { among, until });
    add("nccl", `${PROCESSES} x ${ranks / PROCESSES}, ${PROCESSES} processes`, counts);
  }
  const { gpus, nccl } = clusterText(cluster);
  return [{
    configuration: {
      gpus,
      nccl,
      schedulers: BUILT_IN.scheduler.length,
      allToAlls: BUILT_IN.allToAll.length,
      bits: "of outputs and gradients over all runs; sameBits: one, that of copies by kernels",
      ...(leftOut.length > 0 ? { "for other numbers of ranks, left out": leftOut.join() } : {}),
      experts: "those that a case's file lacks are chosen by no token",
    },
    rows,
  }];
}
