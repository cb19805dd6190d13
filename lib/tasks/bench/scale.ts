/** Uneven all-to-alls on 512 to 4,096 ranks, simulated. @module */
import { allToAllsAtScale } from "../../studies/balancing/scale.ts";
import { hundredths, milliseconds, type Report } from "./report.ts";

/** Ranks of a group that holds all experts, as in DeepSeek-V3's report; and one group of all. */
const GROUPS = [64, undefined] as const;

/** Zipf 0.8, 32,768 rows of 14,336 bytes a rank. */
export function benchScale(): Promise<Report> {
  const rows = GROUPS.flatMap((expert) =>
    allToAllsAtScale(expert === undefined ? {} : { expert }).map((row) => ({
      ranks: row.ranks,
      group: expert ?? row.ranks,
      allToAll: row.allToAll,
      ms: milliseconds(row.seconds),
      boundMs: milliseconds(row.bound),
      bound: row.where,
      overBound: hundredths(row.overBound),
      phases: row.phases,
      planningMs: hundredths(row.planningMs),
    }))
  );
  return Promise.resolve({
    configuration: {
      world: "h200-ib400, nodes of 8",
      rows:
        "32,768 rows of 14,336 bytes from each rank; what ranks of a group get follows Zipf 0.8",
    },
    rows,
  });
}
