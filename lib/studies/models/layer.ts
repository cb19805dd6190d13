/** A layer's configuration from a published model. @module */
import {
  budgetUpdate,
  clampedSwiglu,
  globalBatch,
  hashed,
  type LayerConfig,
  limitedSwiglu,
  orthogonal,
  type Routing,
  sequence,
  signUpdate,
  swiglu,
  switchBalance,
  topK,
} from "../../blocks/mod.ts";
import type { ElementType } from "../../kernels/types.ts";
import type { Gate } from "../../blocks/gates/types.ts";
import type { Loss } from "../../blocks/losses/types.ts";
import { SchemoeError } from "../../types.ts";
import type { ModelLoss, ModelSpec } from "./spec.ts";
import { quoted } from "../../words.ts";

/** Which layer of a model, and for how many tokens. */
export interface ModelLayerOptions {
  /** Tokens of each rank. */
  readonly tokens: number;
  /** Number among the layers with experts, from 0; default the last. */
  readonly number?: number;
  /** Default `float32`. */
  readonly dtype?: ElementType;
  /** Default without padding and drops. */
  readonly routing?: Routing;
}

const EXPERTS = { swiglu, clamped: clampedSwiglu, limited: limitedSwiglu };

const LOSSES: Readonly<Record<ModelLoss, (options: { readonly weight: number }) => Loss>> = {
  ...{ switch: switchBalance, globalBatch, sequence, orthogonal },
};

/** The configuration of one layer. @throws {SchemoeError} for a number that is no layer of the model. */
export function layerOf(spec: ModelSpec, options: ModelLayerOptions): LayerConfig {
  const { modelDim, hiddenDim, experts, layers, shared, router } = spec;
  const { tokens, number = layers - 1, dtype = "float32" } = options;
  const { routing = { dropless: true } } = options;
  if (!Number.isInteger(number) || number < 0 || number >= layers) {
    throw new SchemoeError(
      `Cannot make a layer of ${spec.name}: its layers with experts are 0 to ${layers - 1}, got ${
        quoted(number)
      }`,
    );
  }
  return {
    ...{ tokens, modelDim, hiddenDim, experts, dtype, routing },
    gate: number < (router.hash?.layers ?? 0) ? tableGate(spec) : bestGate(spec),
    losses: lossesOf(spec),
    expert: EXPERTS[spec.expert ?? "swiglu"](),
    ...(shared ? { shared: { ...shared, expert: swiglu() } } : {}),
  };
}

function bestGate({ router, topK: k }: ModelSpec): Gate {
  const { biasRate: rate, active, hash: _, ...options } = router;
  const update = rate === undefined
    ? undefined
    : active === undefined
    ? signUpdate({ rate })
    : budgetUpdate({ rate, active });
  return topK({ ...options, k, ...(update ? { update } : {}) });
}

function tableGate({ router, topK: k }: ModelSpec): Gate {
  const { scores, scale, hash } = router;
  return hashed({ k, vocabulary: hash!.vocabulary, scores, scale });
}

const lossesOf = ({ losses }: ModelSpec): Loss[] =>
  Object.entries(losses).map(([name, weight]) => LOSSES[name as ModelLoss]({ weight }));
