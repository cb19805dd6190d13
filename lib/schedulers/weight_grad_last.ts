import type { Scheduler } from "./types.ts";
import type { Task } from "../types.ts";
import { listSchedule } from "./list_schedule.ts";
import { optSche } from "./opt_sche.ts";

/**
 * Weight gradients fill gaps: only the optimizer waits for them, so each runs when compute would be idle
 * otherwise, and everything else in the order of {@linkcode optSche} as soon as it is ready. The idea of
 * splitting the backward pass in this way is that of zero-bubble pipelines (Qi et al., "Zero Bubble
 * Pipeline Parallelism", ICLR'24), here between all-to-alls. The forward pass is that of optSche.
 */
export const weightGradLast: Scheduler = {
  name: "weightGradLast",
  order(graph, costs) {
    const order = optSche.order(graph, costs) as readonly Task[];
    if (graph.pass === "forward") return order;
    const position = new Map(order.map((task, at) => [task, at]));
    return listSchedule(graph, costs, (task) => {
      const late = task.kind === "expertWeightGrad" ? order.length : 0;
      return -(position.get(task)! + late);
    });
  },
};
