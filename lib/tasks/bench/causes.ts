/** How much longer each lane takes when others run. @module */
import { intervalsOf } from "./lanes.ts";
import type { Costs } from "../../costs/types.ts";
import { type Lane, LANES, type TaskGraph } from "../../types.ts";
import type { RanProgram } from "../../layer/mod.ts";
import { length } from "../../timeline/table/intervals.ts";

/** Milliseconds of a lane in a run, the union over its ranks, and alone. */
export interface LaneTime {
  readonly lane: Lane;
  readonly busy: number;
  readonly alone: number;
}

/** Processors that several ranks share: the processor of each rank, and how many computations it runs at once. */
export interface Sharing {
  readonly of: readonly number[];
  readonly gain: number;
}

/** A graph whose ranks share processors. */
export function sharedProcessors(graph: TaskGraph, { of, gain }: Sharing): TaskGraph {
  const capacity = Array.from({ length: Math.max(...of) + 1 }, () => gain);
  const { pass, chunks, tasks, configuration, buffers, lives } = graph;
  const topology = { ...graph.topology, sharing: { of, capacity } };
  return { pass, chunks, tasks, configuration, buffers, lives, topology };
}

/**
 * How long each lane is busy, on the rank or shared processor where that is longest, beside what its
 * tasks take alone: what is more is what running beside others costs.
 */
export function laneTimes({ program, events, costs }: RanProgram, sharing: Sharing): LaneTime[] {
  const times: LaneTime[] = [];
  for (const lane of LANES) {
    const groups = lane === "compute"
      ? Map.groupBy(sharing.of.keys(), (rank) => sharing.of[rank])
      : Map.groupBy(sharing.of.keys(), (rank) => rank);
    let most = { busy: 0, alone: 0 };
    for (const ranks of groups.values()) {
      const busy = length(intervalsOf(program, events, (task, rank) =>
        task.lane === lane && ranks.includes(rank))) * 1e-6;
      const gain = lane === "compute" ? sharing.gain : 1;
      const alone = 1e3 * aloneSeconds(program.graph, costs!, lane, ranks) / gain;
      if (busy > most.busy) {
        most = { busy, alone };
      }
    }
    if (most.busy > 0) times.push({ lane, ...most });
  }
  return times;
}

function aloneSeconds(
  graph: TaskGraph,
  costs: Costs,
  lane: Lane,
  ranks: readonly number[],
): number {
  return graph.tasks.filter((task) => task.lane === lane).reduce(
    (sum, task) => ranks.reduce((part, rank) => part + costs.seconds(task, rank), sum),
    0,
  );
}

/** `compute busy 12.1 ms, alone 10.0; ...`. */
export const laneText = (times: readonly LaneTime[]): string =>
  times.map(({ lane, busy, alone }) =>
    `${lane} busy ${busy.toFixed(2)} ms, alone ${alone.toFixed(2)}`
  )
    .join("; ");
