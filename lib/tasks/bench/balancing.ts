/** All-to-alls of uneven routings: simulated, on emulated links, and their bound. @module */
import { openEngine } from "../../engines/mod.ts";
import * as allToAlls from "../../alltoall/mod.ts";
import { loadsOf, trafficOfLoads, zipfRouting } from "../../routing/mod.ts";
import { compareAllToAlls } from "../../studies/balancing/compare.ts";
import { unevenProgram } from "../../studies/balancing/exchange.ts";
import { topology } from "../../topology.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import { secondsOfOne } from "./exchange.ts";
import { hundredths, milliseconds, type Report } from "./report.ts";

const EXPONENTS = [0, 0.4, 0.8, 1.2];
const NAMES = ["linear", "pipe", "balanced", "rails", "fast", "matchings"];
/** 256 tokens of each of 8 ranks, 2 of 16 experts each, 512 values of 4 bytes. */
const ROUTING = { ranks: 8, tokens: 256, experts: 16, topK: 2 };
const TOKEN_BYTES = 512 * 4;

/** Zipf 0 to 1.2 on 4 x 2 ranks of the CPU engine with emulated links. */
export async function benchBalancing(): Promise<Report> {
  const world = topology({ nodes: 4, ranksPerNode: 2 });
  using engine = openEngine({ kind: "cpu", topology: world, links: "emulated" });
  const rows = [];
  for (const exponent of EXPONENTS) {
    const traffic = trafficOfLoads(loadsOf(zipfRouting({ ...ROUTING, exponent })), TOKEN_BYTES);
    const { rows: simulated, bound } = compareAllToAlls(world, traffic, NAMES);
    for (const { allToAll, seconds, phases, planningMs } of simulated) {
      const algorithm = (allToAlls as unknown as Record<string, AllToAll>)[allToAll];
      const measured = await secondsOfOne(engine, unevenProgram(world, algorithm, traffic));
      rows.push({
        zipf: exponent,
        allToAll,
        phases,
        planningMs: hundredths(planningMs),
        boundMs: milliseconds(bound),
        simulatedMs: milliseconds(seconds),
        cpuMs: milliseconds(measured),
        overBound: hundredths(measured / bound),
      });
    }
  }
  const { intra, inter } = world.links;
  return {
    configuration: {
      world: "4 x 2",
      engine: engine.timing,
      ...ROUTING,
      tokenBytes: TOKEN_BYTES,
      intra: `${intra.alpha * 1e6} us + ${Math.round(1e-6 / intra.beta)} MB/s`,
      inter: `${inter.alpha * 1e6} us + ${Math.round(1e-6 / inter.beta)} MB/s`,
    },
    rows,
  };
}
