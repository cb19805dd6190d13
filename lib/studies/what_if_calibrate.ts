/** Fits a topology's rates to a run. @module */
import { modelCosts } from "../costs/mod.ts";
import type { Topology } from "../types.ts";
import type { RanProgram } from "../layer/run.ts";

/** A topology whose model takes as long as was measured, and how far it was off. */
export interface Calibrated {
  readonly topology: Topology;
  /** Measured over modelled time of all computation, and of all communication; 1 where nothing was measured. */
  readonly computation: number;
  readonly communication: number;
}

/**
 * Scales processor and links so that the computation of a run together takes what its tasks took alone, and
 * its communication likewise. A run of the simulator leaves the topology as it is.
 */
export function calibrated(topology: Topology, ran: readonly RanProgram[]): Calibrated {
  const model = modelCosts(topology);
  const sums = { computation: [0, 0], communication: [0, 0] };
  for (const { program, costs } of ran) {
    if (!costs || costs.source === model.source) continue;
    for (const task of program.graph.tasks) {
      const sum = task.transfers ? sums.communication : sums.computation;
      sum[0] += costs.seconds(task);
      sum[1] += model.seconds(task);
    }
  }
  const ratio = ([measured, modelled]: number[]) =>
    measured > 0 && modelled > 0 ? measured / modelled : 1;
  const [computation, communication] = [ratio(sums.computation), ratio(sums.communication)];
  const link = ({ alpha, beta }: { alpha: number; beta: number }) => ({
    alpha: alpha * communication,
    beta: beta * communication,
  });
  const { links: { intra, inter, local }, processor } = topology;
  return {
    computation,
    communication,
    topology: {
      ...topology,
      links: { intra: link(intra), inter: link(inter), local: link(local) },
      processor: {
        alpha: processor.alpha * computation,
        flopRate: processor.flopRate / computation,
        byteRate: processor.byteRate / computation,
      },
    },
  };
}
