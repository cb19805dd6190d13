/** Least times of an all-to-all of unequal sizes, each in time linear in the matrix. @module */
import { aTopology, expect, someTraffic } from "../arguments/mod.ts";
import { cardBeta, nodesPerLeaf, ranksPerLeaf, uplinkBeta } from "../costs/mod.ts";
import type { Topology } from "../types.ts";
import type { TrafficMatrix } from "./types.ts";
import { flowsOf, marginals } from "./planned/flows.ts";

/** One bound. */
export interface AllToAllBound {
  /**
   * What limits: a rank whose slices go directly or any way, a node, the spine, links inside a node, or one start-up.
   */
  readonly name: "rank directly" | "rank" | "node" | "spine" | "inside" | "start-up";
  /** Seconds below which no exchange can come. */
  readonly seconds: number;
  /** Which rank, node or leaf it comes from, such as `node 3 sends`. */
  readonly where: string;
  /** Whether it holds for every algorithm, or only for ones that send slices directly. */
  readonly general: boolean;
}

/**
 * What no all-to-all of this traffic can be faster than, by the cost model: the bytes of each rank over its own
 * links (directly between nodes, or any way), of each node over all its cards, across the uplinks of each leaf,
 * of each rank inside its node, and one start-up.
 *
 * ```ts
 * import { topology } from "@schemoe/lab";
 * import { allToAllBounds } from "@schemoe/lab/alltoall";
 * const inter = { alpha: 0, beta: 1 };
 * const world = topology({ nodes: 2, ranksPerNode: 2, inter, intra: { alpha: 0, beta: 0.1 } });
 * // rank 0 alone has something for node 1: its own link carries it in 6 s, both links of the node in 3 s
 * const bounds = allToAllBounds(world, { ranks: 4, bytes: (from, to) => from === 0 && to > 1 ? 3 : 0 });
 * const of = (name: string) => bounds.find((bound) => bound.name === name)?.seconds;
 * console.assert(of("rank directly") === 6 && of("node") === 3);
 * ```
 */
export function allToAllBounds(topology: Topology, traffic: TrafficMatrix): AllToAllBound[] {
  expect("allToAllBounds", "topology", topology, aTopology);
  expect("allToAllBounds", "traffic", traffic, someTraffic);
  const { links, ranksPerNode: m, nodes, nic, spine } = topology;
  const flows = flowsOf(topology, traffic);
  const beta = cardBeta(topology);
  const nodeBeta = Math.max(links.inter.beta / m, nic ? nic.beta / (nic.cards ?? 1) : 0);
  const { rows, columns } = marginals(flows.between, nodes);
  const any = beta > 0 && links.intra.beta > 0 ? 1 / (1 / beta + 1 / links.intra.beta) : 0;
  const bounds: AllToAllBound[] = [
    { name: "rank directly", general: false, ...largest("rank", flows.out, flows.in, beta) },
    { name: "rank", general: true, ...largest("rank", flows.out, flows.in, any) },
    { name: "node", general: true, ...largest("node", rows, columns, nodeBeta) },
    { name: "inside", general: true, ...inside(topology, traffic) },
  ];
  if (rows.some((bytes) => bytes > 0)) {
    const { alpha } = links.inter;
    bounds.push({ name: "start-up", general: true, seconds: alpha, where: "one message" });
  }
  if (spine && nodesPerLeaf(topology) < nodes) bounds.push(acrossSpine(topology, flows.between));
  return bounds;
}

/** The largest of the bounds that hold for every algorithm. */
export function allToAllBound(topology: Topology, traffic: TrafficMatrix): number {
  expect("allToAllBound", "topology", topology, aTopology);
  expect("allToAllBound", "traffic", traffic, someTraffic);
  return allToAllBounds(topology, traffic).reduce(
    (most, { general, seconds }) => general ? Math.max(most, seconds) : most,
    0,
  );
}

/** The largest traffic sent or received anywhere. */
function largest(what: string, sent: Float64Array, received: Float64Array, beta: number) {
  let [seconds, where] = [0, `no ${what}`];
  for (const [verb, bytes] of [["sends", sent], ["receives", received]] as const) {
    bytes.forEach((sum, i) => {
      if (sum * beta <= seconds) return;
      seconds = sum * beta;
      where = `${what} ${i} ${verb}`;
    });
  }
  return { seconds, where };
}

function inside({ nodes, ranksPerNode: m, links }: Topology, traffic: TrafficMatrix) {
  const [sent, received] = [new Float64Array(nodes * m), new Float64Array(nodes * m)];
  for (let from = 0; from < nodes * m; from++) {
    const first = Math.floor(from / m) * m;
    for (let to = first; to < first + m; to++) {
      if (to === from) continue;
      const bytes = traffic.bytes(from, to);
      sent[from] += bytes;
      received[to] += bytes;
    }
  }
  return largest("rank", sent, received, links.intra.beta);
}

/** Pods of nodes, whose uplinks carry all traffic to other pods, whichever leaf it takes. */
function acrossSpine(topology: Topology, between: Float64Array): AllToAllBound {
  const { nodes, ranksPerNode } = topology;
  const each = nodesPerLeaf(topology);
  const pods = Math.ceil(nodes / each);
  const [sent, received] = [new Float64Array(pods), new Float64Array(pods)];
  between.forEach((bytes, i) => {
    const [from, to] = [Math.floor(i / nodes / each), Math.floor((i % nodes) / each)];
    if (from === to) return;
    sent[from] += bytes;
    received[to] += bytes;
  });
  const ranks = Math.max(ranksPerLeaf(topology), each * ranksPerNode);
  return {
    name: "spine",
    general: true,
    ...largest("leaf", sent, received.fill(0), uplinkBeta(topology) / ranks),
  };
}
