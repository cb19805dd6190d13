/** Simulation of a run or a layer. @module */
import { simulate } from "../engines/mod.ts";
import { type MachineProfile, profileCosts, profiledTopology } from "../profile/mod.ts";
import { checkMadeBy } from "../profile/origin.ts";
import { refusePromise } from "../timeline/table/subject.ts";
import { SchemoeError } from "../types.ts";
import { MoeLayer, predictingLayer } from "./layer.ts";
import { Run } from "./run.ts";

/**
 * The same Programs as those of a run, simulated with the cost model of its topology, or with a machine profile
 * (`calibrate`); for `predictedVsMeasured(run, simulated(run))`. Of a layer: one like it on an engine that takes
 * what the profile says, so that passes of it are predictions.
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
 * @throws {SchemoeError} for what is no run of a layer, such as one that was loaded from a folder, for a profile of
 * another world, engine or machine than what ran, and for tasks of a kind that the profile does not have.
 */
export function simulated(run: Run, profile?: MachineProfile): Run;
/** The same layer on a simulator of its world: its passes are predicted by the profile and compute no values. */
export function simulated(layer: MoeLayer, profile: MachineProfile): MoeLayer;
export function simulated(subject: Run | MoeLayer, profile?: MachineProfile): Run | MoeLayer {
  if (subject instanceof MoeLayer) {
    if (profile) return predictingLayer(subject, profile);
    throw new SchemoeError(
      "Cannot simulate the layer: give a profile second, as calibrate makes one",
    );
  }
  refusePromise(subject, "simulate the run");
  if (!(subject instanceof Run)) {
    throw new SchemoeError(
      "Cannot simulate the run: it is none of a layer or a stack, whose Programs are needed",
    );
  }
  const predicted = subject.ran.map(({ program, costs, bound }) => {
    const { topology } = program.graph;
    const events = profile
      ? simulate(program, profiledTopology(topology, profile), {
        costs: profileCosts(profile, topology),
      })
      : simulate(program, topology);
    return { program, events, ...(bound ? { costs, bound } : {}) };
  });
  if (profile) checkMadeBy(profile, subject.configuration.engine);
  return new Run({
    name: subject.name,
    pass: subject.pass,
    configuration: { ...subject.configuration, engine: "simulate" },
    ran: predicted,
  });
}
