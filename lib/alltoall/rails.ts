import type { AllToAll, Planning, Route, TrafficMatrix } from "./types.ts";
import type { Topology } from "../types.ts";
import { planned } from "./planned/planned.ts";
import { PARTS } from "./planned/routes.ts";

/** How far above the mean of its rails a rank's own flow may be and still stay whole on its own rail. */
const SLACK = 0.1;

/**
 * RailS (arXiv 2510.19262): ranks of equal place are a rail. Each node alone sprays what it sends over its
 * rails, the largest first, each to the rail with least so far (longest processing time), here to the rank's
 * own rail as long as that stays near the mean, and counting what goes to the same node as well: that sending
 * evenly makes receiving even takes every node's part to be even. On the other side the rank of the rail passes
 * it on. Plans by flows from ranks to nodes; flows above the mean are placed slice by slice.
 */
export const rails: AllToAll = planned({ name: "rails", parts: PARTS, make: planRails });

/** A piece placed on a rail. */
interface Item {
  readonly source: number;
  readonly to: number;
  /** Place in the node of the only destination; absent for all. */
  readonly local?: number;
  readonly bytes: number;
}

function planRails(topology: Topology, traffic: TrafficMatrix): Planning {
  const { nodes, ranksPerNode: m } = topology;
  /** Rail of each flow, by source and node; `SLICES` where each slice has its own. */
  const flowRail = new Uint16Array(topology.ranks * nodes);
  const sliceRail = new Map<number, Uint16Array>();
  for (let node = 0; node < nodes; node++) {
    for (
      const [{ source, to, local }, rail] of placed(itemsOf(topology, traffic, node), m, nodes)
    ) {
      const flow = source * nodes + to;
      if (local === undefined) flowRail[flow] = rail;
      else {
        flowRail[flow] = SLICES;
        let own = sliceRail.get(flow);
        if (!own) sliceRail.set(flow, own = new Uint16Array(m));
        own[local] = rail;
      }
    }
  }
  return {
    stages: 1,
    routes(from, to) {
      const routes: Route[] = [];
      for (let source = from * m; source < (from + 1) * m; source++) {
        const flow = source * nodes + to;
        for (let local = 0; local < m; local++) {
          const rail = flowRail[flow] === SLICES ? sliceRail.get(flow)![local] : flowRail[flow];
          const destination = to * m + local;
          routes.push({ source, destination, out: from * m + rail, in: to * m + rail, stage: 0 });
        }
      }
      return routes;
    },
  };
}

/** More than there are ranks in a node. */
const SLICES = 0xffff;

/** Traffic of a node's ranks for other nodes, the largest first. */
function itemsOf(topology: Topology, traffic: TrafficMatrix, node: number): Item[] {
  const { nodes, ranksPerNode: m } = topology;
  const items: Item[] = [];
  const between = new Float64Array(m);
  for (let to = 0; to < nodes; to++) {
    if (to === node) continue;
    for (let i = 0; i < m; i++) {
      between[i] = 0;
      for (let j = 0; j < m; j++) between[i] += traffic.bytes(node * m + i, to * m + j);
    }
    const mean = between.reduce((a, b) => a + b, 0) / m;
    for (let i = 0; i < m; i++) {
      const source = node * m + i;
      if (between[i] <= mean * (1 + SLACK)) items.push({ source, to, bytes: between[i] });
      else {
        for (let local = 0; local < m; local++) {
          items.push({ source, to, local, bytes: traffic.bytes(source, to * m + local) });
        }
      }
    }
  }
  return items.sort((a, b) =>
    b.bytes - a.bytes || a.source - b.source || a.to - b.to || (a.local ?? 0) - (b.local ?? 0)
  );
}

/**
 * Longest processing time: each to the rail that carries least, of all and of what goes to the same node, both
 * in parts of their means; to a rank's own rail first while neither is above its mean.
 */
function placed(items: readonly Item[], m: number, nodes: number): [Item, number][] {
  const mean = items.reduce((sum, { bytes }) => sum + bytes, 0) / m;
  const means = new Float64Array(nodes);
  for (const { to, bytes } of items) means[to] += bytes / m;
  const load = new Float64Array(m);
  const loads = new Float64Array(nodes * m);
  return items.map((item) => {
    const { to, bytes } = item;
    if (bytes === 0) return [item, item.source % m];
    const full = (r: number) => load[r] / mean + loads[to * m + r] / means[to];
    let rail = item.source % m;
    const own = load[rail] + bytes <= mean * (1 + SLACK) &&
      loads[to * m + rail] + bytes <= means[to] * (1 + SLACK);
    if (!own) { for (let r = 0; r < m; r++) if (full(r) < full(rail)) rail = r; }
    load[rail] += bytes;
    loads[to * m + rail] += bytes;
    return [item, rail];
  });
}
