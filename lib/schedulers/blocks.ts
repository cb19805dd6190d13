/** Orders written as blocks of tasks. @module */
import type { Task, TaskGraph } from "../types.ts";

/**
 * Tasks by block, inside a block by chunk and stage; a task that something earlier depends on is drawn
 * forward, so that the order is valid for every graph.
 */
export function inBlocks(graph: TaskGraph, block: (task: Task) => number): Task[] {
  const blocks = graph.tasks.map(block);
  const wanted = graph.tasks.toSorted((a, b) =>
    blocks[a.id] - blocks[b.id] || a.chunk - b.chunk || a.stage - b.stage || a.id - b.id
  );
  const order: Task[] = [];
  const placed = new Set<number>();
  const place = (task: Task) => {
    if (placed.has(task.id)) return;
    placed.add(task.id);
    for (const id of task.after) place(graph.tasks[id]);
    order.push(task);
  };
  wanted.forEach(place);
  return order;
}
