/** How closely emulated links keep the cost model: transfers alone, simulated and on the CPU engine. @module */
import { linear, pipe } from "../../alltoall/mod.ts";
import { openEngine } from "../../engines/mod.ts";
import { GraphBuilder } from "../../graph/mod.ts";
import { buildProgram } from "../../program/mod.ts";
import { topology } from "../../topology.ts";
import type { AllToAll } from "../../alltoall/types.ts";
import type { Engine, Program } from "../../engine.ts";
import type { Topology } from "../../types.ts";
import { hundredths, median, milliseconds, type Report } from "./report.ts";

const REPETITIONS = 9;
const CHUNKS = 4;

/** Programs of all-to-alls without computation take the simulated time on the CPU engine. */
export async function benchEmulation(): Promise<Report> {
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  using cpu = openEngine({ kind: "cpu", topology: world, links: "emulated" });
  using simulator = openEngine({ kind: "simulate", topology: world });
  const rows = [];
  for (const algorithm of [linear, pipe]) {
    for (const sliceBytes of [1 << 10, 1 << 14, 1 << 17]) {
      const program = exchanges(world, algorithm, sliceBytes);
      const simulated = await makespan(simulator, program);
      await makespan(cpu, program);
      const times = [];
      for (let i = 0; i < REPETITIONS; i++) times.push(await makespan(cpu, program));
      const measured = median(times);
      rows.push({
        allToAll: algorithm.name,
        sliceBytes,
        simulatedMs: milliseconds(simulated),
        cpuMs: milliseconds(measured),
        ratio: hundredths(measured / simulated),
        differenceUs: Math.round((measured - simulated) * 1e6),
        slowestMs: milliseconds(Math.max(...times)),
      });
    }
  }
  return {
    configuration: {
      world: "2 x 2",
      exchanges: CHUNKS,
      repetitions: REPETITIONS,
      engine: cpu.timing,
    },
    rows,
  };
}

/** All-to-alls one after another on their lanes. */
function exchanges(world: Topology, algorithm: AllToAll, sliceBytes: number): Program {
  const g = new GraphBuilder(world, "forward", CHUNKS);
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const bytes = world.ranks * sliceBytes;
    g.allToAll({
      label: "A",
      chunk,
      stage: 0,
      after: [],
      algorithm,
      sliceBytes,
      scratch: `scratch.${chunk}`,
      input: g.buffer(`input.${chunk}`, bytes),
      output: g.buffer(`output.${chunk}`, bytes),
    });
  }
  const graph = g.build({});
  return buildProgram(graph, graph.tasks, "graph order");
}

async function makespan(engine: Engine, program: Program): Promise<number> {
  const workspace = engine.workspace();
  try {
    const { end } = await engine.run(program, workspace);
    return end.reduce((latest, time) => Math.max(latest, time), 0) * 1e-9;
  } finally {
    workspace.free();
  }
}
