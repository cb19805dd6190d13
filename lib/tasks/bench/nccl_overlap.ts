/** What runs at the same time: computation of ranks of all nodes, and both kinds of link. @module */
import { pipe } from "../../alltoall/mod.ts";
import { resolveLayer } from "../../blocks/mod.ts";
import type { Engine, EventTable, Program } from "../../engine.ts";
import type { Lane, Task } from "../../types.ts";
import { intervalsOf, together } from "./lanes.ts";
import { clusterText, openCluster, transportsOf } from "./nccl_engine.ts";
import { balancedOn, layerOf } from "./nccl_layer.ts";
import type { Cluster } from "./options.ts";
import { LayerParts } from "./parts.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";

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
  const { tf32 } = layerOf(cluster);
  const rows: Row[] = [];
  let balanced: Awaited<ReturnType<typeof balancedOn>> | undefined;
  let topK = 1;
  for (const transport of transportsOf(cluster)) {
    using engine = openCluster(cluster, transport, { tf32 });
    balanced ??= await balancedOn(engine, cluster);
    const layer = resolveLayer(balanced.config, engine.topology);
    topK = layer.topK;
    rows.push(...await overlapRows(engine, layer, { ...transport }, MIXES));
  }
  const { tokens, modelDim, hiddenDim } = balanced!.config;
  return [{
    configuration: {
      ...clusterText(cluster),
      ...balanced!.text,
      tf32,
      tokens,
      modelDim,
      topK,
      hiddenDim,
      allToAll: pipe.name,
      chunks: CHUNKS,
      pass: "forward",
      apart: "sum of the lanes alone",
      atOnce: "time in which all named lanes, and the compute lanes of all nodes, were in progress",
      stretch: "time until a lane's last task ended, over that of the lane alone",
    },
    rows,
  }];
}

/** A row for each mix of lanes; lanes without tasks are left out. */
export async function overlapRows(
  engine: Engine,
  layer: ReturnType<typeof resolveLayer>,
  transport: Row,
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
        ...transport,
        lanes: lanes.join(" + "),
        ms: milliseconds(seconds),
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
function atOnce(program: Program, events: EventTable, lanes: readonly Lane[]): number {
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
