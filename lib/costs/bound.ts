/** The least time that any schedule of a graph can take. @module */
import { type Costs, type Lane, LANES, SchemoeError, type TaskGraph } from "../types.ts";

/** A lower bound and what makes it. */
export interface Bound {
  readonly seconds: number;
  /** `inter lane of rank 2`, `longest chain of rank 0`, ... */
  readonly limit: string;
}

/**
 * The largest of: the work of one lane of a rank, the work of a processor over what it runs at once, and
 * the longest chain of tasks of a rank. Holds for every order, whatever overlaps.
 *
 * @param costs times of tasks that run alone; never those of a run in which they overlapped.
 * @throws {SchemoeError} naming a task whose cost is negative or not a number.
 */
export function lowerBound(graph: TaskGraph, costs: Costs): Bound {
  let best: Bound = { seconds: 0, limit: "no tasks" };
  const consider = (seconds: number, limit: string) => {
    if (seconds > best.seconds) best = { seconds, limit };
  };
  const { ranks, sharing } = graph.topology;
  const processors = new Float64Array(sharing?.capacity.length ?? 0);
  for (let rank = 0; rank < ranks; rank++) {
    const lanes: Record<Lane, number> = { compute: 0, intra: 0, inter: 0 };
    const ends = new Float64Array(graph.tasks.length);
    let chain = 0;
    for (const task of graph.tasks) {
      const seconds = costs.seconds(task, rank);
      if (!(seconds >= 0 && seconds < Infinity)) {
        throw new SchemoeError(
          `Cannot bound the graph: task ${task.name} costs ${seconds} s on rank ${rank}`,
          { rank },
        );
      }
      lanes[task.lane] += seconds;
      ends[task.id] = seconds + task.after.reduce((latest, id) => Math.max(latest, ends[id]), 0);
      chain = Math.max(chain, ends[task.id]);
    }
    for (const lane of LANES) consider(lanes[lane], `${lane} lane of rank ${rank}`);
    consider(chain, `longest chain of rank ${rank}`);
    if (sharing) processors[sharing.of[rank]] += lanes.compute;
  }
  processors.forEach((work, number) =>
    consider(work / sharing!.capacity[number], `processor ${number}`)
  );
  return best;
}
