/** One layer of every model by name at 8 to 4,096 ranks, in the groups of their reports or recipes. @module */
import { MODEL_NAMES, simulateModels } from "../../studies/models/mod.ts";
import { DEFAULT_TESTBED, testbed } from "../../testbeds/mod.ts";
import { hundredths, type Report, type Row } from "./report.ts";

const RANKS = [8, 64, 512, 4096];

/** Time, hidden communication and distance to the bound; and how long each simulation takes. */
export async function benchModels(): Promise<Report> {
  const rows: Row[] = [];
  for (const name of MODEL_NAMES) {
    for (const ranks of RANKS) {
      const begun = performance.now();
      const [row] = await simulateModels({ models: [name], ranks: [ranks] });
      rows.push({
        model: name,
        ranks,
        expertParallel: row.expertParallel,
        copies: row.copies,
        forwardMs: hundredths(row.forwardMs),
        backwardMs: hundredths(row.backwardMs),
        hidden: hundredths(row.hidden),
        overBound: hundredths(row.overBound),
        reductionMs: hundredths(row.reductionMs),
        memoryGB: hundredths(row.memoryGB),
        groups: row.groups,
        simulatedInS: hundredths((performance.now() - begun) / 1e3),
      });
    }
  }
  const { topology } = testbed(DEFAULT_TESTBED);
  return {
    configuration: {
      world: `nodes of 8, ${DEFAULT_TESTBED}`,
      source: `${topology.source}`,
      layer: "4096 tokens a rank, bfloat16, capacity factor 1, both passes",
      choices: "optSche + pipe, 4 chunks, no codec",
    },
    rows,
  };
}
