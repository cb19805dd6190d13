/** What is tuned of a layer, or of a stack of equal ones. @module */
import { aLayer, anything, expect, record } from "../../arguments/mod.ts";
import { capacity, type Layer, routedCapacity } from "../../blocks/mod.ts";
import type { Run } from "../run.ts";
import type { AutoSetup } from "./tuner.ts";

const ROUTED_LOADS_RUN = record("a run, such as await layer.forward()", { loads: anything });

/** Setup of a layer whose passes another one like it predicts. */
export function layerSetup(layer: Layer, predicted: AutoSetup["predicted"]): AutoSetup {
  return {
    topology: layer.topology,
    ...(routedCapacity(layer) ? {} : { places: capacity(layer, 0) }),
    predicted,
    routed: (run) => Number(run.configuration.capacity),
    what: "places an expert",
    patience: 1,
    loads: (run) => layer.dropless ? routedLoads(layer, run) : undefined,
  };
}

/** What the gate chose in a forward pass, choices of each expert, a list a rank. */
export function routedLoads(layer: Layer, run: Pick<Run, "loads">): number[][] | undefined {
  expect("routedLoads", "layer", layer, aLayer);
  expect("routedLoads", "run", run, ROUTED_LOADS_RUN);
  const { experts, topology: { ranks } } = layer;
  const { loads } = run;
  if (!loads) return undefined;
  const rows = loads.length / ranks;
  return Array.from(
    { length: ranks },
    (_, rank) => [...loads.subarray(rank * rows, rank * rows + experts)],
  );
}
