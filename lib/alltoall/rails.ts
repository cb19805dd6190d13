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

function planRails(topology: Topology, traffic: TrafficMatrix): Planning {
  const { nodes, ranksPerNode: m } = topology;
  const flows = new Rails(topology);
  const items = new Items(topology);
  for (let node = 0; node < nodes; node++) {
    items.fill(traffic, node, flows);
    place(items, topology, (item, rail) => {
      const slice = items.slice[item];
      if (slice === WHOLE) flows.whole[items.source[item] * nodes + items.to[item]] = rail;
      else flows.slices[slice] = rail;
    });
  }
  return {
    stages: 1,
    routes(from, to) {
      const routes: Route[] = [];
      for (let source = from * m; source < (from + 1) * m; source++) {
        for (let local = 0; local < m; local++) {
          const rail = flows.of(source * nodes + to, local);
          const destination = to * m + local;
          routes.push({ source, destination, out: from * m + rail, in: to * m + rail, stage: 0 });
        }
      }
      return routes;
    },
  };
}

/** Rails of flows, from a rank to a node each, and of the slices of those that do not stay whole. */
class Rails {
  /** Rail of each flow, by source and node; of one in slices `~first`, the number of its first slice. */
  readonly whole: Int32Array;
  slices = new Uint16Array(1024);
  #count = 0;

  constructor(readonly topology: Topology) {
    this.whole = new Int32Array(topology.ranks * topology.nodes);
  }

  /** Number of the first of a flow's slices, one for each rank of the node. */
  cut(flow: number): number {
    const first = this.#count;
    this.#count += this.topology.ranksPerNode;
    if (this.#count > this.slices.length) {
      const more = new Uint16Array(2 * this.#count);
      more.set(this.slices);
      this.slices = more;
    }
    this.whole[flow] = ~first;
    return first;
  }

  /** Rail of the slice of a flow for a place in the node. */
  of(flow: number, local: number): number {
    const rail = this.whole[flow];
    return rail < 0 ? this.slices[~rail + local] : rail;
  }
}

/** Of a piece that is a whole flow. */
const WHOLE = -1;

/** Pieces of a node's traffic for other nodes, each placed on a rail: whole flows, or their slices one by one. */
class Items {
  readonly source: Int32Array;
  readonly to: Int32Array;
  /** Number of the slice; `WHOLE` for all of the flow. */
  readonly slice: Int32Array;
  readonly bytes: Float64Array;
  count = 0;

  constructor(readonly topology: Topology) {
    const { nodes, ranksPerNode: m } = topology;
    const most = nodes * m * m;
    this.source = new Int32Array(most);
    this.to = new Int32Array(most);
    this.slice = new Int32Array(most);
    this.bytes = new Float64Array(most);
  }

  /** Pieces of a node, by source. */
  fill(traffic: TrafficMatrix, node: number, rails: Rails): void {
    const { nodes, ranksPerNode: m } = this.topology;
    this.count = 0;
    const slices = new Float64Array(nodes * m * m);
    const flows = new Float64Array(nodes * m);
    for (let i = 0; i < m; i++) {
      for (let to = 0; to < nodes; to++) {
        if (to === node) continue;
        for (let j = 0; j < m; j++) {
          const bytes = traffic.bytes(node * m + i, to * m + j);
          slices[(i * nodes + to) * m + j] = bytes;
          flows[i * nodes + to] += bytes;
        }
      }
    }
    const means = new Float64Array(nodes);
    for (let to = 0; to < nodes; to++) {
      for (let i = 0; i < m; i++) means[to] += flows[i * nodes + to];
      means[to] /= m;
    }
    for (let i = 0; i < m; i++) {
      for (let to = 0; to < nodes; to++) {
        if (to === node) continue;
        const flow = i * nodes + to;
        if (flows[flow] <= means[to] * (1 + SLACK)) this.#add(node * m + i, to, WHOLE, flows[flow]);
        else {
          const first = rails.cut((node * m + i) * nodes + to);
          for (let j = 0; j < m; j++) this.#add(node * m + i, to, first + j, slices[flow * m + j]);
        }
      }
    }
  }

  #add(source: number, to: number, slice: number, bytes: number): void {
    this.source[this.count] = source;
    this.to[this.count] = to;
    this.slice[this.count] = slice;
    this.bytes[this.count++] = bytes;
  }

  /** Numbers of the pieces, the largest first, of equal ones by source, node and place. */
  get largestFirst(): Uint32Array {
    // counted by size: many pieces are equal
    const next = new Map<number, number>();
    for (let i = 0; i < this.count; i++) {
      next.set(this.bytes[i], (next.get(this.bytes[i]) ?? 0) + 1);
    }
    let before = 0;
    for (const size of Float64Array.from(next.keys()).sort().reverse()) {
      const alike = next.get(size)!;
      next.set(size, before);
      before += alike;
    }
    const order = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      const at = next.get(this.bytes[i])!;
      order[at] = i;
      next.set(this.bytes[i], at + 1);
    }
    return order;
  }
}

/**
 * Longest processing time: each to the rail that carries least, of all and of what goes to the same node, both
 * in parts of their means; to a rank's own rail first while neither is above its mean.
 */
function place(
  items: Items,
  { nodes, ranksPerNode: m }: Topology,
  put: (item: number, rail: number) => void,
): void {
  let mean = 0;
  const means = new Float64Array(nodes);
  const order = items.largestFirst;
  for (const item of order) {
    mean += items.bytes[item];
    means[items.to[item]] += items.bytes[item] / m;
  }
  mean /= m;
  const load = new Float64Array(m);
  const loads = new Float64Array(nodes * m);
  for (const item of order) {
    const to = items.to[item], bytes = items.bytes[item];
    let rail = items.source[item] % m;
    if (bytes > 0) {
      const own = load[rail] + bytes <= mean * (1 + SLACK) &&
        loads[to * m + rail] + bytes <= means[to] * (1 + SLACK);
      if (!own) {
        const full = (r: number) => load[r] / mean + loads[to * m + r] / means[to];
        for (let r = 0; r < m; r++) if (full(r) < full(rail)) rail = r;
      }
      load[rail] += bytes;
      loads[to * m + rail] += bytes;
    }
    put(item, rail);
  }
}
