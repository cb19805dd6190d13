import type { AllToAll, Planning, Route, TrafficMatrix } from "./types.ts";
import type { Topology } from "../types.ts";
import { planned } from "./planned/planned.ts";
import { flowsOf } from "./planned/flows.ts";
import { heavyStages } from "./planned/stages.ts";

/** Matchings of largest weight; after them pairs are taken greedily. */
const EXACT_STAGES = 16;

/**
 * Maximum-weight matchings between nodes (as for optical switches, HotOptics'26): stage by stage each node
 * sends to one node and receives from one, all that they have for each other, the heaviest matching first.
 * Slices go directly from rank to rank.
 */
export const matchings: AllToAll = planned({ name: "matchings", make: planMatchings });

function planMatchings(topology: Topology, traffic: TrafficMatrix): Planning {
  const { nodes, ranksPerNode: m } = topology;
  const { between } = flowsOf(topology, traffic);
  const stages = heavyStages(between, nodes, EXACT_STAGES);
  const last = Math.max(0, stages.length - 1);
  const stageOf = new Int32Array(nodes * nodes).fill(last);
  stages.forEach(({ to }, stage) =>
    to.forEach((column, row) => {
      if (column >= 0) stageOf[row * nodes + column] = stage;
    })
  );
  return {
    stages: last + 1,
    routes(from, to) {
      const routes: Route[] = [];
      const stage = stageOf[from * nodes + to];
      for (let source = from * m; source < (from + 1) * m; source++) {
        for (let destination = to * m; destination < (to + 1) * m; destination++) {
          routes.push({ source, destination, out: source, in: destination, stage });
        }
      }
      return routes;
    },
  };
}
