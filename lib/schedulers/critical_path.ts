import type { Scheduler } from "./types.ts";
import { listSchedule, successors } from "./list_schedule.ts";

/**
 * List scheduling by critical path: of the ready tasks of a lane the one first behind which most time lies
 * (Hu, "Parallel Sequencing and Assembly Line Problems", Operations Research 9(6), 1961). Needs costs,
 * and no assumption about which tasks a graph has. It does not know what waits for a lane: in a forward pass all experts
 * come before the first packing of their results, which holds up the second all-to-all.
 */
export const criticalPath: Scheduler = {
  name: "criticalPath",
  order(graph, costs) {
    const remaining = new Float64Array(graph.tasks.length);
    const next = successors(graph);
    for (const task of graph.tasks.toReversed()) {
      const behind = next[task.id].reduce((most, { id }) => Math.max(most, remaining[id]), 0);
      remaining[task.id] = costs.seconds(task) + behind;
    }
    return listSchedule(graph, costs, (task) => remaining[task.id]);
  },
};
