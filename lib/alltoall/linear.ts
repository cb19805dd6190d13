import type { AllToAll, Step } from "./types.ts";
import { copy, input, output, receive, send } from "./slices.ts";

/**
 * Every rank sends to and receives from every other directly, in one group on one lane: NCCL's way
 * (2 (P - 1) point-to-point calls). Time of a rank: the sum over both kinds of link.
 */
export const linear: AllToAll = {
  name: "linear",
  plan: ({ rank, topology }) => [{
    lane: topology.nodes > 1 ? "inter" : "intra",
    steps: Array.from(
      { length: topology.ranks },
      (_, peer): Step[] =>
        peer === rank
          ? [copy(input(rank), output(rank))]
          : [send(input(peer), peer), receive(output(peer), peer)],
    ).flat(),
  }],
};
