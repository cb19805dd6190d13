/** The all-to-alls of ScheMoE's figure 9 by size: simulated on its testbed, and on emulated links. @module */
import { allToAllSizes } from "../../studies/sizes/study.ts";
import { worldText } from "../../timeline/chart/facts.ts";
import type { Report } from "./report.ts";
import { hundredths } from "./report.ts";

/** 1 KiB to 1 GiB a rank on 8 x 4 ranks. */
export async function benchSizes(): Promise<Report> {
  const study = await allToAllSizes({ emulated: true });
  const { best, sizes } = study;
  const us = (seconds: number) => hundredths(seconds * 1e6);
  return {
    configuration: {
      world: worldText(study.topology),
      source: `${study.topology.source}`,
      cpuUs: "CPU engine, emulated links, median of 3 to 5",
      wins: study.summary,
    },
    rows: study.rows.map(({ allToAll, bytes, seconds, startUp, measured }) => ({
      ...{ allToAll, bytes },
      simulatedUs: us(seconds),
      startUpUs: us(startUp),
      cpuUs: us(measured!),
      overBest: hundredths(seconds / best[sizes.indexOf(bytes)].seconds),
    })),
  };
}
