/** DeepSeek-V3's shared expert before, behind and after the all-to-alls: simulated, and on emulated links. @module */
import { openCpuEngine, openSimulator } from "../../engines/mod.ts";
import { model } from "../../studies/models/mod.ts";
import { sharedExpertStudy, type SharedRow } from "../../studies/shared_expert.ts";
import { testbed } from "../../testbeds/mod.ts";
import { topology } from "../../topology.ts";
import { hundredths, milliseconds, type Report, type Row } from "./report.ts";

const CHOICES = { allToAll: "pipe", chunks: 4 } as const;

/**
 * Links and processor of 2 nodes x 2 on which the scaled layer has the proportions that the whole one has on 8 x 8: a
 * shared expert of 40 ms, routed experts of 8 times that, a chunk's all-to-all between nodes of 4 times that.
 */
const EMULATED = {
  nodes: 2,
  ranksPerNode: 2,
  intra: { bandwidth: "41 MB/s", latency: "20 us" },
  inter: { bandwidth: "1.4 MB/s", latency: "50 us" },
  processor: { flopRate: "0.55 GFLOP/s", byteRate: "1 TB/s", alpha: 10e-6 },
} as const;

export async function benchSharedExpert(): Promise<Report> {
  const { topology: cluster } = testbed("h200-ib400", { nodes: 8, ranksPerNode: 8 });
  const whole = model("deepseek-v3");
  const small = whole.scaledTo({ modelDim: 224, hiddenDim: 64, experts: 16, topK: 8 });
  const routing = { capacityFactor: 1 };
  using simulator = openSimulator(cluster, { representatives: true });
  using engine = openCpuEngine({ topology: topology(EMULATED), computation: "paced" });
  const simulated = await sharedExpertStudy(
    simulator,
    whole.layer({ tokens: 4096, dtype: "bfloat16", routing }),
    CHOICES,
  );
  const config = small.layer({ tokens: 256, routing });
  using scaled = openSimulator(engine.topology);
  const expected = await sharedExpertStudy(scaled, config, CHOICES);
  const measured = await sharedExpertStudy(engine, config, { ...CHOICES, repeats: 5 });
  return {
    configuration: { model: whole.name, scheduler: "optSche", ...CHOICES },
    rows: [
      ...rowsOf("simulated, h200-ib400, 8 x 8, whole", simulated),
      ...rowsOf("simulated, 2 x 2, scaled", expected),
      ...rowsOf("emulated links, paced, 2 x 2, scaled", measured),
    ],
  };
}

const rowsOf = (engine: string, rows: readonly SharedRow[]): Row[] =>
  rows.map(({ pass, place, makespan, exposed }) => ({
    engine,
    pass,
    place,
    makespanMs: milliseconds(makespan),
    exposedMs: milliseconds(exposed),
    overWithout: hundredths(makespan / (makespan - exposed)),
  }));
