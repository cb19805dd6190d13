import type { Scheduler } from "./types.ts";
import { inBlocks } from "./blocks.ts";

/**
 * Tutel's static pipelining (Hwang et al., "Tutel", MLSys'23, section 3.3): the dispatch all-to-alls of all
 * chunks are issued first, the experts run chunk after chunk, and each combine all-to-all follows as
 * soon as its chunk is computed; the results are put together when the last one is there.
 *
 * In the backward pass both gradients of an expert come before its rows go back, and the gate's gradient
 * comes last, as automatic differentiation runs them.
 */
export const tutel: Scheduler = {
  name: "tutel",
  order: (graph) =>
    inBlocks(graph, ({ chunk, label }) => {
      if (chunk < 0) return 0;
      if (chunk >= graph.chunks) return 4;
      return label === "C1" || label === "A1" ? 1 : label === "D2" ? 3 : 2;
    }),
};
