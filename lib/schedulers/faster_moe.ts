import { capacitySlices, peerGroups } from "../chunking/mod.ts";
import type { Scheduler } from "./types.ts";
import { inBlocks } from "./blocks.ts";

/**
 * FasterMoE's smart schedule (He et al., "FasterMoE", PPoPP'22, section 5.2): in step j a group of ranks
 * sends to the group j after it and receives from the group j before it (S_j), computes what came
 * (C_j) and returns it (R_j). All S go out first, then the computations, then all R, on one lane each.
 *
 * A number of chunks therefore means that many {@linkcode peerGroups}; step 0 stays in the own group. One
 * chunk is the whole capacity, as everywhere. With capacity slices it orders chunks in the same way.
 */
export const fasterMoE: Scheduler = {
  name: "fasterMoE",
  chunking: (chunks) => chunks === 1 ? capacitySlices(1) : peerGroups(chunks),
  order: (graph) =>
    inBlocks(graph, ({ chunk, label }) => {
      if (chunk < 0) return 0;
      if (chunk >= graph.chunks) return 5;
      switch (label) {
        case "C1":
        case "A1":
          return 1;
        case "A2":
          return 3;
        case "D2":
          return 4;
        default:
          return 2;
      }
    }),
};
