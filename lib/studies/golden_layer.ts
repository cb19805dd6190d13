/** Fields of a reference case's configuration, as a layer spells them. @module */
import { gshard, type LayerConfig, type Routing, topK, type TopKOptions } from "../blocks/mod.ts";
import { type GoldenRouter, routerLayer } from "./golden_router.ts";

/** Gate, routing and losses of a case, in the fields of its file. */
export interface GoldenFields extends GoldenRouter {
  readonly topK?: number;
  readonly normalizeGate?: boolean;
  readonly prescore?: boolean;
  readonly capacityFactor?: number;
  readonly capacityAlignment?: number;
  readonly dropless?: boolean;
  readonly batchPrioritized?: boolean;
  readonly auxWeight?: number;
  readonly latentDim?: number;
}

/** Gate, routing and losses of a layer from the fields of a case; what a case leaves out has the layer's default. */
export function goldenLayer(
  fields: GoldenFields,
): Required<Pick<LayerConfig, "gate" | "routing" | "losses">> & Pick<LayerConfig, "shared"> {
  const { topK: k, normalizeGate: normalize, prescore, batchPrioritized, auxWeight } = fields;
  const { capacityFactor, capacityAlignment, dropless } = fields;
  const priority = batchPrioritized ? "scores" : "tokens";
  const routing = defined<Routing>({ capacityFactor, capacityAlignment, dropless, priority });
  if (fields.gate) {
    return { routing, ...routerLayer({ ...fields, gate: fields.gate, topK: k ?? 1 }) };
  }
  const weighs = prescore ? "input" : "output";
  return {
    gate: topK(defined<TopKOptions>({ k, normalize, weighs })),
    routing,
    // cases have the loss whatever its weight
    losses: [gshard({ weight: auxWeight ?? 0 })],
  };
}

const defined = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
