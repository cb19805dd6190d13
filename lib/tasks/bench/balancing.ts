/** Uneven routings: all-to-alls, and passes of stages beside their experts; on emulated links, and their bound. @module */
import { openEngine } from "../../engines/mod.ts";
import { topology } from "../../topology.ts";
import { balancingRows } from "./balancing_rows.ts";
import { linksText } from "./fitted_world.ts";
import type { Report } from "./report.ts";

/** 256 tokens of each of 8 ranks, 2 of 16 experts each, 512 values of 4 bytes. */
const SIZES = { tokens: 256, experts: 16, topK: 2, tokenBytes: 512 * 4 };

/** Zipf 0 to 1.2 on 4 x 2 ranks of the CPU engine with emulated links. */
export async function benchBalancing(): Promise<Report> {
  const world = topology({ nodes: 4, ranksPerNode: 2 });
  const paced = { links: "emulated", computation: "paced" } as const;
  using engine = openEngine({ kind: "cpu", topology: world, ...paced });
  const rows = await balancingRows({ engine, world, column: "cpuMs" }, SIZES);
  return {
    configuration: { world: "4 x 2", engine: engine.timing, ...SIZES, ...linksText(world) },
    rows,
  };
}
