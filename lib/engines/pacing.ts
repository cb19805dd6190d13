/** Which operations of an engine last as long as the cost model says. @module */
import { taskSeconds } from "../costs/model.ts";
import type { Task, Topology } from "../types.ts";

/** Emulation of an engine. */
export interface Pacing {
  readonly links: "emulated" | "plain";
  readonly computation: "paced" | "real";
}

/**
 * The seconds that each operation is paced to, undefined for as fast as it goes, and whether all of
 * them are. Tasks that have no kernels and only take time are always paced.
 */
export function pace(topology: Topology, { links, computation }: Pacing): {
  readonly seconds: (task: Task, rank: number) => number | undefined;
  readonly modelled: boolean;
} {
  return {
    seconds(task, rank) {
      const paced = task.transfers
        ? links === "emulated"
        : computation === "paced" || !task.kernels;
      return paced ? taskSeconds(topology, task, rank) : undefined;
    },
    modelled: links === "emulated" && computation === "paced",
  };
}
