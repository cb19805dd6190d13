/** Fields of a reference case's configuration, as a layer spells them. @module */
import { gshard, type LayerConfig, type Routing, topK, type TopKOptions } from "../blocks/mod.ts";

/** What a case may say of gate, routing and losses, in the words of its file. */
export interface GoldenFields {
  readonly topK?: number;
  readonly normalizeGate?: boolean;
  readonly prescore?: boolean;
  readonly capacityFactor?: number;
  readonly capacityAlignment?: number;
  readonly dropless?: boolean;
  readonly batchPrioritized?: boolean;
  readonly auxWeight?: number;
}

/** Gate, routing and losses of a layer from the fields of a case; what a case leaves out has the layer's default. */
export function goldenLayer(
  fields: GoldenFields,
): Required<Pick<LayerConfig, "gate" | "routing" | "losses">> {
  const { topK: k, normalizeGate: normalize, prescore, batchPrioritized, auxWeight } = fields;
  const { capacityFactor, capacityAlignment, dropless } = fields;
  const weighs = prescore ? "input" : "output";
  const priority = batchPrioritized ? "scores" : "tokens";
  return {
    gate: topK(defined<TopKOptions>({ k, normalize, weighs })),
    routing: defined<Routing>({ capacityFactor, capacityAlignment, dropless, priority }),
    losses: auxWeight ? [gshard({ weight: auxWeight })] : [],
  };
}

const defined = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
