import type { Scheduler } from "./types.ts";
import type { Task } from "../types.ts";

/** All tasks one after another, chunk after chunk: no overlap, the baseline of every comparison. */
export const sequential: Scheduler = {
  name: "sequential",
  order: ({ tasks }) =>
    chain(tasks.toSorted((a, b) => a.chunk - b.chunk || a.stage - b.stage || a.id - b.id)),
};

/** An order in which each task also waits for the one before. */
const chain = (order: Task[]) => ({
  order,
  after: order.slice(1).map((task, i) => [order[i], task] as const),
});
