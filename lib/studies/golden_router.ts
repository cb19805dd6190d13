/** Gates, losses and shared experts of a reference case's configuration. @module */
import {
  cosineLogits,
  expertChoice,
  ffn,
  globalBatch,
  gshard,
  hashed,
  importance,
  type LayerConfig,
  linearLogits,
  load,
  noisyLogits,
  quantileUpdate,
  reluRouting,
  sequence,
  signUpdate,
  swiglu,
  switchBalance,
  topK,
  z,
} from "../blocks/mod.ts";
import type { Activation } from "../kernels/mod.ts";
import type { Gate, GateUpdate } from "../blocks/gates/types.ts";
import type { GateScores } from "../kernels/types.ts";
import type { Loss } from "../blocks/losses/types.ts";
import { SchemoeError } from "../types.ts";

/** The gate of a case, in the fields of its file. */
export interface GoldenGate {
  readonly scores: string;
  readonly bias: boolean;
  readonly selectionBias: boolean;
  readonly groups: number;
  readonly groupLimit: number;
  readonly normalize: boolean;
  readonly scale: number;
  readonly weighs: "output" | "input";
  readonly hash: boolean;
  readonly choice: "token" | "expert";
  readonly zeroExperts: number;
  readonly noise: boolean;
  readonly cosine: boolean;
}

/** Fields of a case with a gate of its own. */
export interface GoldenRouter {
  readonly gate?: GoldenGate;
  readonly shared?: {
    readonly hiddenDim: number;
    readonly kind: string;
    readonly gate: "none" | "sigmoid";
    readonly activation: string;
  };
  readonly losses?: readonly { readonly name: string; readonly weight: number }[];
  readonly updates?: readonly {
    readonly name: string;
    readonly rate?: number;
    readonly ema?: number;
  }[];
  /** Rows of `gate.table`, and columns of `gate.projection`. */
  readonly vocabulary?: number;
  readonly width?: number;
}

const LOSSES: Readonly<Record<string, (options: { weight: number }) => Loss>> = {
  gshard,
  globalBatch,
  sequence,
  z,
  importance,
  load,
  switch: switchBalance,
};

const UPDATES: Readonly<Record<string, (update: { rate: number; ema: number }) => GateUpdate>> = {
  sign: signUpdate,
  quantile: quantileUpdate,
};

/** Gate, losses and shared expert of a layer. @throws {SchemoeError} for a name that is not known. */
export function routerLayer(
  fields: GoldenRouter & { readonly gate: GoldenGate; readonly topK: number },
): Required<Pick<LayerConfig, "gate" | "losses">> & Pick<LayerConfig, "shared"> {
  const { shared, losses = [], updates = [] } = fields;
  const update =
    updates.map(({ name, ...options }) =>
      named("update", UPDATES, name)(options as { rate: number; ema: number })
    )[0];
  return {
    gate: gateOf(fields, update),
    losses: losses.map(({ name, weight }) => named("loss", LOSSES, name)({ weight })),
    ...(shared ? { shared: sharedOf(shared) } : {}),
  };
}

function gateOf(
  { gate, topK: k, vocabulary = 1, width = 1 }: GoldenRouter & {
    readonly gate: GoldenGate;
    readonly topK: number;
  },
  update?: GateUpdate,
): Gate {
  const scores = (gate.scores === "sqrtsoftplus" ? "sqrtSoftplus" : gate.scores) as GateScores;
  const { normalize, scale, weighs, bias, zeroExperts: identities } = gate;
  const clean = gate.cosine ? cosineLogits({ width, bias }) : linearLogits({ bias });
  const logits = gate.noise ? noisyLogits(clean) : clean;
  const weights = { k, logits, normalize, scale, weighs };
  if (gate.hash) return hashed({ vocabulary, scores, identities, ...weights });
  if (gate.choice === "expert") {
    if (identities === 0) return expertChoice({ scores, ...weights });
    throw new SchemoeError(
      `Cannot use zeroExperts ${identities} of a case with choice "expert": they choose no tokens`,
    );
  }
  if (gate.scores === "relu") return reluRouting({ identities, ...weights });
  const { selectionBias, groups, groupLimit } = gate;
  return topK({
    ...weights,
    scores,
    selectionBias,
    groups,
    groupLimit,
    identities,
    ...(update ? { update } : {}),
  });
}

function sharedOf(
  { hiddenDim, kind, gate, activation }: NonNullable<GoldenRouter["shared"]>,
): LayerConfig["shared"] {
  const expert = kind === "swiglu"
    ? swiglu()
    : ffn({ activation: activation as Activation, bias: false });
  return { hiddenDim, expert, gate };
}

function named<T>(what: string, known: Readonly<Record<string, T>>, name: string): T {
  if (Object.hasOwn(known, name)) return known[name];
  throw new SchemoeError(
    `Unknown ${what} "${name}" of a case: known are ${Object.keys(known).join(", ")}`,
  );
}
