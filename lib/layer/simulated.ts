/** What the simulator says of a run. @module */
import { simulate } from "../engines/mod.ts";
import { SchemoeError } from "../types.ts";
import { Run } from "./run.ts";

/**
 * The same Programs as those of a run, simulated with the cost model of its topology; for
 * `predictedVsMeasured(run, simulated(run))`.
 *
 * ```ts
 * import { createLayer, openEngine, predictedVsMeasured } from "@schemoe/lab";
 * import { simulated } from "@schemoe/lab/layer";
 * using engine = openEngine({ kind: "simulate", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 2 });
 * const run = await layer.forward();
 * console.assert(simulated(run).makespan === run.makespan);
 * console.assert(predictedVsMeasured(run, simulated(run)).table.get("ratio", 0) === 1);
 * ```
 * @throws {SchemoeError} for what is no run of a layer, such as one that was loaded from a folder.
 */
export function simulated(run: Run): Run {
  if (!(run instanceof Run)) {
    throw new SchemoeError(
      "Cannot simulate the run: it is none of a layer or a stack, whose Programs are needed",
    );
  }
  return new Run({
    name: run.name,
    pass: run.pass,
    configuration: { ...run.configuration, engine: "simulate" },
    ran: run.ran.map(({ program, costs, bound }) => ({
      ...{ program, events: simulate(program, program.graph.topology) },
      ...(bound ? { costs, bound } : {}),
    })),
  });
}
