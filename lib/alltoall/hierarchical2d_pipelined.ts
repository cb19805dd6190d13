import type { AllToAll } from "./types.ts";
import { twoDimensionalWays, twoDimensions } from "./hierarchical2d.ts";

/**
 * {@linkcode hierarchical2d} with its phases on the lanes of their links, so that a scheduler can run the
 * inter-node phase of one chunk beside the intra-node phases of the next.
 */
export const hierarchical2dPipelined: AllToAll = {
  name: "hierarchical2dPipelined",
  plan: twoDimensions,
  ways: twoDimensionalWays,
};
