import type { AllToAll, Phase } from "./types.ts";
import { linear } from "./linear.ts";

/**
 * Pipe-A2A (Shi et al., "ScheMoE", EuroSys'24, section 5): the pairs of {@linkcode linear} on two lanes
 * that run together, those inside the node and those between nodes. Time of a rank: the larger of
 * both sums, so at most twice as fast.
 */
export const pipe: AllToAll = {
  name: "pipe",
  plan({ rank, topology }) {
    const { nodes, ranksPerNode } = topology;
    const node = Math.floor(rank / ranksPerNode);
    const steps = linear.plan({ rank, topology })[0].steps;
    const inside = (step: typeof steps[number]) =>
      step.kind === "copy" || Math.floor(step.peer / ranksPerNode) === node;
    const intra: Phase = { lane: "intra", after: [], steps: steps.filter(inside) };
    if (nodes === 1) return [intra];
    return [intra, { lane: "inter", after: [], steps: steps.filter((step) => !inside(step)) }];
  },
};
