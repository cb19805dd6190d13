/** Sums of a traffic matrix: what planning goes by. @module */
import type { Topology } from "../../types.ts";
import type { TrafficMatrix } from "../types.ts";

/** Bytes between nodes, and from and to other nodes of each rank. */
export interface Flows {
  readonly nodes: number;
  /** [nodes, nodes], 0 on the diagonal. */
  readonly between: Float64Array;
  readonly out: Float64Array;
  readonly in: Float64Array;
}

/** Equal bytes for every pair: the traffic planned for by default. */
export const evenTraffic = ({ ranks }: Topology): TrafficMatrix => ({ ranks, bytes: () => 1 });

const known = new WeakMap<TrafficMatrix, WeakMap<Topology, Flows>>();

/** The sums of a matrix, made once; nothing of size ranks x ranks. */
export function flowsOf(topology: Topology, traffic: TrafficMatrix): Flows {
  let worlds = known.get(traffic);
  if (!worlds) known.set(traffic, worlds = new WeakMap());
  let flows = worlds.get(topology);
  if (!flows) worlds.set(topology, flows = sums(topology, traffic));
  return flows;
}

function sums({ nodes, ranks, ranksPerNode }: Topology, traffic: TrafficMatrix): Flows {
  const between = new Float64Array(nodes * nodes);
  const [sent, received] = [new Float64Array(ranks), new Float64Array(ranks)];
  for (let source = 0; source < ranks; source++) {
    const node = Math.floor(source / ranksPerNode);
    for (let to = 0; to < nodes; to++) {
      if (to === node) continue;
      let sum = 0;
      for (let i = 0; i < ranksPerNode; i++) {
        const destination = to * ranksPerNode + i;
        const bytes = traffic.bytes(source, destination);
        sum += bytes;
        received[destination] += bytes;
      }
      between[node * nodes + to] += sum;
      sent[source] += sum;
    }
  }
  return { nodes, between, out: sent, in: received };
}

/** Sums of the rows and of the columns of a square matrix. */
export function marginals(matrix: Float64Array, size: number) {
  const [rows, columns] = [new Float64Array(size), new Float64Array(size)];
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      rows[i] += matrix[i * size + j];
      columns[j] += matrix[i * size + j];
    }
  }
  return { rows, columns };
}
