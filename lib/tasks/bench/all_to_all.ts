/** Each all-to-all alone on emulated links: bytes and times beside their formula. @module */
import { BUILT_IN } from "../../layer/built_in.ts";
import * as allToAlls from "../../alltoall/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { topology } from "../../topology.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Engine, Program } from "../../engine.ts";
import { allToAllFormulas } from "./all_to_all_formulas.ts";
import { busiestRank, exchanges } from "./exchange.ts";
import { hundredths, median, milliseconds, type Report } from "./report.ts";

const REPETITIONS = 7;
const SLICE_BYTES = [1 << 10, 1 << 13, 1 << 16, 1 << 19];

/** Formula, simulator and CPU engine on 2 x 4 ranks, with the proof's time at 8 x 8. */
export async function benchAllToAll(): Promise<Report> {
  const world = topology({ nodes: 2, ranksPerNode: 4 });
  const large = topology({ nodes: 8, ranksPerNode: 8 });
  using cpu = openEngine({ kind: "cpu", topology: world, links: "emulated" });
  using simulator = openEngine({ kind: "simulate", topology: world });
  const rows = [];
  for (const name of BUILT_IN.allToAll) {
    const algorithm = (allToAlls as unknown as Record<string, AllToAll>)[name];
    const proofs = Array.from({ length: REPETITIONS }, () => {
      const begun = performance.now();
      allToAlls.proveAllToAll(algorithm, large);
      return performance.now() - begun;
    });
    for (const sliceBytes of SLICE_BYTES) {
      const program = exchanges(world, algorithm, { bytes: world.ranks * sliceBytes, count: 1 });
      const formula = allToAllFormulas(world, sliceBytes)[name];
      const [simulated] = await makespans(simulator, program, 1);
      const measured = median((await makespans(cpu, program, REPETITIONS + 1)).slice(1));
      rows.push({
        allToAll: name,
        sliceBytes,
        bytes: busiestRank(program.graph),
        ...(formula && { formulaBytes: formula.bytes }),
        ...(formula && { formulaMs: milliseconds(formula.seconds) }),
        simulatedMs: milliseconds(simulated),
        cpuMs: milliseconds(measured),
        ...(formula && { ratio: hundredths(measured / formula.seconds) }),
        busMBs: Math.round((world.ranks - 1) * sliceBytes / measured / 1e6),
        proof8x8Ms: Math.round(median(proofs) * 10) / 10,
        firstProofMs: Math.round(proofs[0] * 10) / 10,
        ...(formula && { formula: formula.text }),
      });
    }
  }
  const { intra, inter } = world.links;
  return {
    configuration: {
      world: "2 x 4",
      repetitions: REPETITIONS,
      engine: cpu.timing,
      intra: `${intra.alpha * 1e6} us + ${Math.round(1e-6 / intra.beta)} MB/s`,
      inter: `${inter.alpha * 1e6} us + ${Math.round(1e-6 / inter.beta)} MB/s`,
      busMBs: "(P-1) slices over cpuMs",
    },
    rows,
  };
}

/** Seconds of some runs. */
async function makespans(engine: Engine, program: Program, runs: number): Promise<number[]> {
  const workspace = engine.workspace();
  try {
    workspace.ensure(program.graph.buffers);
    const seconds = [];
    for (let i = 0; i < runs; i++) {
      const { end } = await engine.run(program, workspace);
      seconds.push(end.reduce((latest, time) => Math.max(latest, time), 0) * 1e-9);
    }
    return seconds;
  } finally {
    workspace.free();
  }
}
