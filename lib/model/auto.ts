/** `scheduler: "auto"` of a model. @module */
import type { AutoSetup } from "../layer/auto/tuner.ts";
import { routedLoads, type Run } from "../layer/mod.ts";
import type { ModelShape } from "./config.ts";
import { TrainingStep } from "./step.ts";

/** Steps whose median tells that the routing has changed: batches differ. */
const PATIENCE = 5;

/** Setup of a model, each of whose steps has one choice and is predicted by another one like it. */
export function stepSetup(
  { topology, layers }: ModelShape,
  predicted: AutoSetup["predicted"],
): AutoSetup {
  const places = layers.flatMap((block) => "moe" in block ? [block.places] : []);
  const idle = topology.ranks === 1 || places.length === 0;
  return {
    topology,
    places: Math.min(...places),
    // without another rank, or a layer of experts, no order is better than another
    ...(idle ? { grid: { schedulers: ["sequential"], chunks: [1] } } : {}),
    predicted,
    routed: (run) => busiest(layers, run),
    what: "tokens of the busiest expert",
    patience: PATIENCE,
  };
}

/** The largest load of an expert from one rank, of dropless layers: others take the same for every routing. */
function busiest(layers: ModelShape["layers"], run: Run): number {
  const loads = run instanceof TrainingStep ? run.layerLoads ?? [] : [];
  const experts = layers.flatMap((block) => "moe" in block ? [block.moe] : []);
  const most = loads.flatMap((of, layer) =>
    experts[layer].dropless ? [Math.max(...routedLoads(experts[layer], { loads: of })!.flat())] : []
  );
  return most.length > 0 ? Math.max(...most) : NaN;
}
