/** Tasks that nothing of a pipeline waits for, each as soon as it is ready. @module */
import type { Lane, Task } from "../types.ts";

const LANES: readonly Lane[] = ["compute", "intra", "inter"];

/**
 * An order in which the tasks of `loose` begin as soon as they are ready and their lane is free, by the times of one
 * rank; the others keep their order on each lane and come first where both could begin.
 * @param loose ids; no other task depends on one of them.
 */
export function whenReady(
  order: readonly Task[],
  loose: ReadonlySet<number>,
  seconds: readonly number[],
): Task[] {
  const ends = new Float64Array(seconds.length).fill(Infinity);
  const free: Record<Lane, number> = { compute: 0, intra: 0, inter: 0 };
  const fixed = LANES.map((lane) =>
    order.filter((task) => task.lane === lane && !loose.has(task.id)).toReversed()
  );
  const open = new Map<number, number>();
  const behind = new Map<number, Task[]>();
  const ready: Task[] = [];
  for (const task of order) {
    if (!loose.has(task.id)) continue;
    open.set(task.id, task.after.length);
    if (task.after.length === 0) ready.push(task);
    for (const id of task.after) behind.set(id, [...behind.get(id) ?? [], task]);
  }
  /** Infinite where something that it needs is not placed yet. */
  const startOf = ({ after, lane }: Task) =>
    after.reduce((latest, id) => Math.max(latest, ends[id]), free[lane]);
  const placed: Task[] = [];
  while (placed.length < order.length) {
    let [next, start] = [undefined as Task | undefined, Infinity];
    for (const task of [...fixed.flatMap((lane) => lane.slice(-1)), ...ready]) {
      const at = startOf(task);
      if (at < start) [next, start] = [task, at];
    }
    const task = next!;
    if (loose.has(task.id)) ready.splice(ready.indexOf(task), 1);
    else fixed[LANES.indexOf(task.lane)].pop();
    ends[task.id] = free[task.lane] = start + seconds[task.id];
    placed.push(task);
    for (const one of behind.get(task.id) ?? []) {
      const left = open.get(one.id)! - 1;
      open.set(one.id, left);
      if (left === 0) ready.push(one);
    }
  }
  return placed;
}
