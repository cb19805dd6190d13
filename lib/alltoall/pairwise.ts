import type { AllToAll, Phase } from "./types.ts";
import { copy, input, output, receive, send } from "./slices.ts";
import { range, widestLane } from "./world.ts";

/**
 * Pairwise exchange (Thakur, Rabenseifner and Gropp, "Optimization of Collective Communication Operations
 * in MPICH", IJHPCA 2005): P - 1 steps, in each of which every rank sends to one and receives from one,
 * so that no link is used twice at a time. In step k rank r exchanges with r XOR k where P is a power
 * of two, else it sends to r + k and receives from r - k. Time of a rank: the sum over all steps.
 */
export const pairwise: AllToAll = {
  name: "pairwise",
  plan({ rank, topology }) {
    const { ranks } = topology;
    const lane = widestLane(topology);
    const exclusive = (ranks & (ranks - 1)) === 0;
    const own: Phase = { name: "own", lane, steps: [copy(input(rank), output(rank))] };
    const steps = range(ranks - 1, (i): Phase => {
      const k = i + 1;
      const to = exclusive ? rank ^ k : (rank + k) % ranks;
      const from = exclusive ? rank ^ k : (rank - k + ranks) % ranks;
      return { name: `step ${k}`, lane, steps: [send(input(to), to), receive(output(from), from)] };
    });
    return [own, ...steps];
  },
};
