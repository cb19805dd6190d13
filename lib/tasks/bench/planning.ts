/** What planning an all-to-all by its traffic costs. @module */
import process from "node:process";
import { allToAllBounds, balanced, fast, matchings, rails } from "../../alltoall/mod.ts";
import { loadsOf, trafficOfLoads, zipfRouting } from "../../routing/mod.ts";
import { testbed } from "../../testbeds/mod.ts";
import { hundredths, median, type Report, type Row } from "./report.ts";

const NODES = [8, 32, 128, 512];
const PER_NODE = 8;
/** Plannings of which the median counts, after one in which V8 compiles. */
const PLANNINGS = 7;

/** From the matrix to the steps of rank 0, on 8 to 512 nodes of 8. */
export function benchPlanning(): Promise<Report> {
  const rows: Row[] = [];
  for (const nodes of NODES) {
    const ranks = nodes * PER_NODE;
    const { topology } = testbed("h200-ib400", { nodes, ranksPerNode: PER_NODE });
    const sizes = { ranks, tokens: 256, experts: Math.max(256, ranks), topK: 8 };
    const { bytes } = trafficOfLoads(loadsOf(zipfRouting({ ...sizes, exponent: 0.8 })), 8192);
    const plans = [balanced, rails, fast, matchings].map((algorithm) => ({
      name: algorithm.name,
      // another matrix each time, so that nothing is known of it
      run: () => void algorithm.plan({ rank: 0, topology, traffic: { ranks, bytes } }),
    }));
    const bounds = { name: "bounds", run: () => void allToAllBounds(topology, { ranks, bytes }) };
    for (const { name, run } of [...plans, bounds]) {
      const times = Array.from({ length: PLANNINGS + 1 }, () => {
        const [begun, used] = [performance.now(), process.cpuUsage()];
        run();
        const { user, system } = process.cpuUsage(used);
        return { wall: performance.now() - begun, cpu: (user + system) / 1e3 };
      }).slice(1);
      rows.push({
        nodes,
        planner: name,
        ms: hundredths(median(times.map(({ wall }) => wall))),
        cpuMs: hundredths(median(times.map(({ cpu }) => cpu))),
      });
    }
  }
  return Promise.resolve({
    configuration: {
      world: `nodes x ${PER_NODE}`,
      routing: "Zipf 0.8, 256 tokens a rank, top 8 of 256 experts, or one a rank",
      ms: `median of ${PLANNINGS} after the first one, of which each sees another matrix`,
      cpuMs: "processor time, which other programs do not lengthen",
    },
    rows,
  });
}
