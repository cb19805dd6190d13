/** What runs at the same time: computation of ranks of all nodes, and both kinds of link. @module */
import { pipe } from "../alltoall/mod.ts";
import { resolveLayer } from "../layer/mod.ts";
import type { Engine, EventTable, Lane, Program, Task } from "../types.ts";
import { balancedLayer } from "./bench_calibrate.ts";
import { intervalsOf, together } from "./bench_lanes.ts";
import { clusterText, openCluster, type Transport } from "./bench_nccl_engine.ts";
import type { Cluster } from "./bench_options.ts";
import { LayerParts } from "./bench_parts.ts";
import { hundredths, milliseconds, type Report, type Row } from "./bench_report.ts";

const LAYER = { tokens: 1024, modelDim: 1024, topK: 2 } as const;
const HIDDEN = { tried: [1024, 3072], multiple: 128, most: 16_384 } as const;
const CHUNKS = 4;

/** Lanes that run together, each going through its tasks without waiting for the others. */
const MIXES: readonly (readonly Lane[])[] = [
  ["compute"],
  ["intra"],
  ["inter"],
  ["intra", "inter"],
  ["compute", "intra"],
  ["compute", "inter"],
  ["compute", "intra", "inter"],
];

/** Tasks of one lane alone and of several together, over NCCL and by copies. */
export async function benchNcclOverlap(cluster: Cluster): Promise<Report[]> {
  const rows: Row[] = [];
  let hiddenDim: number | undefined;
  for (const transport of ["nccl", "copy"] as const) {
    using engine = openCluster(cluster, transport);
    const config = { ...LAYER, experts: engine.topology.ranks };
    hiddenDim ??= (await balancedLayer(engine, config, { ...HIDDEN, devices: cluster.devices }))
      .config.hiddenDim;
    const layer = resolveLayer({ ...config, hiddenDim }, engine.topology);
    rows.push(...await overlapRows(engine, layer, transport, MIXES));
  }
  return [{
    configuration: {
      ...clusterText(cluster),
      ...{ ...LAYER, hiddenDim: hiddenDim!, allToAll: pipe.name, chunks: CHUNKS, pass: "forward" },
      apart: "sum of the lanes alone",
      atOnce: "time in which all named lanes, and the compute lanes of all nodes, were in progress",
    },
    rows,
  }];
}

/** A row for each mix of lanes; lanes without tasks are left out. */
export async function overlapRows(
  engine: Engine,
  layer: ReturnType<typeof resolveLayer>,
  transport: Transport | "cpu",
  mixes: readonly (readonly Lane[])[],
): Promise<Row[]> {
  const parts = new LayerParts(engine, layer, { allToAll: pipe, chunks: CHUNKS });
  try {
    const present = new Set(parts.graphs.forward.tasks.map(({ lane }) => lane));
    await parts.time("forward", () => true); // what the parts read is there afterwards
    const alone = new Map<Lane, number>();
    const rows: Row[] = [];
    for (const lanes of mixes.filter((mix) => mix.every((lane) => present.has(lane)))) {
      const keep = (task: Task) => lanes.includes(task.lane);
      const { seconds, program, events } = await parts.time("forward", keep, { free: true });
      if (lanes.length === 1) alone.set(lanes[0], seconds);
      const each = lanes.map((lane) => alone.get(lane)!);
      rows.push({
        ...{ transport, lanes: lanes.join(" + "), ms: milliseconds(seconds) },
        apartMs: milliseconds(each.reduce((a, b) => a + b, 0)),
        longestAloneMs: milliseconds(Math.max(...each)),
        atOnceMs: milliseconds(atOnce(program, events, lanes) * 1e-9),
        ...lastEnds(program, events, lanes, alone),
      });
    }
    return rows;
  } finally {
    parts.close();
  }
}

/** Nanoseconds in which each of the lanes was in progress, on every node for computation. */
export function atOnce(program: Program, events: EventTable, lanes: readonly Lane[]): number {
  const { nodes, ranksPerNode } = program.graph.topology;
  const nodeOf = (rank: number) => Math.floor(rank / ranksPerNode);
  return together(lanes.flatMap((lane) => {
    const of = (choose: (rank: number) => boolean) =>
      intervalsOf(program, events, (task, rank) => task.lane === lane && choose(rank));
    if (lane !== "compute") return [of(() => true)];
    return Array.from({ length: nodes }, (_, node) => of((rank) => nodeOf(rank) === node));
  }));
}

/** How many times longer each lane took than alone. */
function lastEnds(
  program: Program,
  { position, end }: EventTable,
  lanes: readonly Lane[],
  alone: ReadonlyMap<Lane, number>,
): Row {
  return Object.fromEntries(lanes.map((lane) => {
    let last = 0;
    for (let i = 0; i < position.length; i++) {
      if (program.order[position[i]].lane === lane) last = Math.max(last, end[i]);
    }
    return [`${lane}Stretch`, hundredths(last * 1e-9 / alone.get(lane)!)];
  }));
}
