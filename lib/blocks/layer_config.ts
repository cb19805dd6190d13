/**
 * The configuration of a Mixture-of-Experts layer: sizes, routing and experts.
 * @module
 */
import { type ExpertGroups, type Parallel, resolveParallel } from "./expert_groups.ts";
import { checkExpert } from "./experts/check.ts";
import { ffn } from "./experts/mod.ts";
import { type PlacedExperts, resolvePlacement } from "./placed.ts";
import { resolveGate } from "./resolve_gate.ts";
import { resolveLosses } from "./resolve_losses.ts";
import { resolveShared, type SharedExpert } from "./shared_expert.ts";
import { resolveTokens } from "./rank_tokens.ts";
import { resolveRouting, type Routing } from "./routing.ts";
import type { ElementType } from "../kernels/types.ts";
import type { Placement } from "../placements/types.ts";
import type { Expert } from "./experts/types.ts";
import type { Gate } from "./gates/types.ts";
import type { Loss } from "./losses/types.ts";
import { SchemoeError, type Topology } from "../types.ts";
import { didYouMean, quoted } from "../words.ts";

/** A layer as its user writes it. */
export interface LayerConfig {
  /** Tokens of each rank; see {@linkcode UnevenLayerConfig} for ranks that differ. */
  readonly tokens: number;
  /** Width of a token. */
  readonly modelDim: number;
  /** Width inside an expert. */
  readonly hiddenDim: number;
  /**
   * Width of the rows that go to experts, where it is not that of a token: tokens are projected to it before dispatch
   * (`latent.down`) and back after combine (`latent.up`), both trained, so that all-to-alls and experts have
   * fewer columns ("latent MoE" of Nemotron-3, Megatron-LM's `moe_latent_size`). The gate and shared experts see
   * whole tokens.
   */
  readonly latentDim?: number;
  /** Experts of the layer; a multiple of the ranks that hold them together (`parallel.expert`). */
  readonly experts: number;
  /** Which ranks hold all experts together; default: all ranks of the world, each expert once. */
  readonly parallel?: Parallel;
  /**
   * Which ranks compute which experts, some with copies; default: each rank those whose parameters it holds. Weights of
   * experts on other ranks are copied in each forward pass and their gradients returned in each backward pass, by
   * tasks of the graph. A rank deals out its tokens for an expert one after another among the copies: its own,
   * else those in its node, else all, beginning with that of its own number. A gradient is the sum over copies,
   * that of the rank with the parameters first, then by rank.
   */
  readonly placement?: Placement;
  /** Which experts a token goes to, and with which weights; a value or a name. Default `topK()`. */
  readonly gate?: Gate | string;
  /** Places of experts: capacity and priority. */
  readonly routing?: Routing;
  /** Losses on the routing, added to the total with their weights; default none. */
  readonly losses?: readonly Loss[];
  /** Default `ffn()`. */
  readonly expert?: Expert;
  /** An expert that every token goes to, on its own rank; default none. */
  readonly shared?: SharedExpert;
  /**
   * Type of tokens, activations, expert parameters and their gradients (those of vectors stay
   * float32); the gate is float32 either way. Default `float32`. The CPU engine computes `bfloat16` by rounding
   * what each kernel gives once: a reference, not a fast path.
   *
   * What compares it with float32 gives both values that bfloat16 holds: rounding tokens and parameters
   * opens or closes units of a ReLU near 0, which moved gradients by up to 23 % of the largest (288
   * uneven routings on the CPU engine, bfloat16 emulated by rounding). With such values the emulation
   * stayed within 3.3 %.
   */
  readonly dtype?: ElementType;
}

/** A layer whose ranks have different numbers of tokens. */
export interface UnevenLayerConfig extends Omit<LayerConfig, "tokens"> {
  /**
   * Tokens of each rank in turn, 0 included. `x`, `dy`, `y` and `grad.x` are [all tokens, modelDim], rank after rank, and
   * inputs of gates likewise; a padded layer has the places for the largest number; means of losses are those of
   * a rank's own tokens, and losses of a rank without any are 0.
   */
  readonly tokens: readonly number[];
}

/** A checked layer on a topology, nothing left open but a capacity that depends on the routing. */
export interface Layer
  extends Required<Omit<LayerConfig, "tokens" | "shared" | "latentDim" | "placement">> {
  /** Most tokens of a rank; those of each, where they differ. */
  readonly tokens: number;
  /** Tokens of each rank, where they differ. */
  readonly rankTokens?: readonly number[];
  /** Of a layer as one rank sees it: the layer of all. */
  readonly whole?: Layer;
  /** Width to which tokens are projected before they are sent; absent where they are sent as they are. */
  readonly latentDim?: number;
  /** Width of the rows that go to experts: `latentDim`, or else `modelDim`. */
  readonly rowDim: number;
  /** World in which it runs. */
  readonly topology: Topology;
  /** Type of the gradients of the experts' matrices: `dtype`, and in a model float32. */
  readonly gradientType: ElementType;
  /** Ranks that hold all experts together, and copies of such groups. */
  readonly parallel: Required<Parallel>;
  /** Which ranks exchange tokens with each other. */
  readonly groups: ExpertGroups;
  /** Experts whose parameters each rank holds. */
  readonly localExperts: number;
  /** Experts that each rank computes, where that was chosen. */
  readonly placement?: Placement;
  /** Where experts are computed, if elsewhere than where their parameters are. */
  readonly placed?: PlacedExperts;
  /** Slots of experts that rows go to: of all ranks of a group, and of each; without placement the experts. */
  readonly slots: number;
  /** Slots of one rank. */
  readonly localSlots: number;
  /** Who chooses experts for tokens. */
  readonly gate: Gate;
  /** Capacity and priority of places, or none for a dropless layer. */
  readonly routing: Required<Routing>;
  /** The expert that every token passes; absent where there is none. */
  readonly shared?: Required<SharedExpert>;
  /** Rows of the gate: experts, and experts without computation. */
  readonly gateRows: number;
  /** Choices that a token has room for. */
  readonly topK: number;
  /** Whether some choices go nowhere: the gate is partial or has experts without computation. */
  readonly partial: boolean;
  /** Whether tokens are multiplied by their weights before the expert: the gate weighs the input. */
  readonly prescore: boolean;
  /** Of the routing; 0 for a dropless layer. */
  readonly capacityFactor: number;
  /** The capacity is a multiple of it. */
  readonly capacityAlignment: number;
  /** Whether every choice has a place, so that nothing is padded or dropped. */
  readonly dropless: boolean;
  /** Whether places go to tokens by descending best score. */
  readonly batchPrioritized: boolean;
}

const KNOWN = [
  "tokens",
  "modelDim",
  "hiddenDim",
  "experts",
  "parallel",
  "placement",
  "gate",
  "routing",
  "losses",
  "expert",
  "shared",
  "dtype",
  "latentDim",
];

/** Options that a layer had once, and how they are spelled now. */
const MOVED: Readonly<Record<string, (value: unknown) => string>> = {
  topK: (value) => `gate: topK({ k: ${value} })`,
  normalizeGate: (value) => `gate: topK({ k, normalize: ${value} })`,
  prescore: (value) => `gate: topK({ k, weighs: "${value ? "input" : "output"}" })`,
  capacityFactor: (value) => `routing: { capacityFactor: ${value} }`,
  capacityAlignment: (value) => `routing: { capacityAlignment: ${value} }`,
  dropless: (value) => `routing: { dropless: ${value} }`,
  priority: (value) => `routing: { priority: ${quoted(value)} }`,
  batchPrioritized: (value) => `routing: { priority: "${value ? "scores" : "tokens"}" }`,
  activation: (value) => `expert: ffn({ activation: ${quoted(value)} })`,
  bias: (value) => `expert: ffn({ bias: ${value} })`,
  auxWeight: (value) => `losses: [gshard({ weight: ${value} })]`,
};

/**
 * Checks a layer for a topology and fills in defaults.
 * @throws {SchemoeError} naming the first field that is wrong.
 */
export function resolveLayer(
  config: LayerConfig | UnevenLayerConfig,
  topology: Topology,
): Layer {
  if (typeof config !== "object" || config === null) {
    fail(`give an object with ${KNOWN.slice(0, 4).join(", ")}, got ${quoted(config)}`);
  }
  for (const [key, value] of Object.entries(config)) {
    if (Object.hasOwn(MOVED, key)) {
      fail(`write ${MOVED[key](value)} instead of ${key}: ${quoted(value)}`);
    }
    if (!KNOWN.includes(key)) {
      fail(`"${key}" is not a field of a layer (${KNOWN.join(", ")})${didYouMean(key, KNOWN)}`);
    }
  }
  const { modelDim, hiddenDim, experts } = config;
  const counts = resolveTokens(config.tokens, topology.ranks);
  for (const [name, value] of Object.entries({ modelDim, hiddenDim, experts })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} must be a positive integer, got ${quoted(value)}`);
    }
  }
  const { dtype = "float32", expert = ffn(), latentDim } = config;
  if (latentDim !== undefined && !(Number.isInteger(latentDim) && latentDim >= 1)) {
    fail(`latentDim must be a positive integer, got ${quoted(latentDim)}`);
  }
  const rowDim = latentDim ?? modelDim;
  if (!["float32", "bfloat16"].includes(dtype)) {
    fail(`dtype must be float32 or bfloat16, got ${quoted(dtype)}`);
  }
  const { parallel, groups } = resolveParallel(config.parallel, { experts, topology });
  const { placement } = config;
  const placed = resolvePlacement(placement, { experts, groups, topology });
  const localSlots = placed?.each ?? experts / groups.size;
  checkExpert(expert, { modelDim: rowDim, hiddenDim, experts, dtype });
  const gate = resolveGate(config.gate, experts);
  const routed = gate.loads?.().ranks;
  if (routed !== undefined && routed !== topology.ranks) {
    fail(
      `the gate "${gate.name}" has a routing of ${routed} ranks, the world has ${topology.ranks}`,
    );
  }
  const routing = resolveRouting(config.routing);
  const losses = resolveLosses(config.losses, gate, { ...counts, modelDim, experts });
  const shared = resolveShared(config.shared, { modelDim, experts: 1, dtype });
  const { capacityAlignment, dropless } = routing;
  const layer = {
    ...counts,
    modelDim,
    hiddenDim,
    experts,
    dtype,
    gradientType: dtype,
    expert,
    gate,
    routing,
    losses,
    ...(shared ? { shared } : {}),
    ...(latentDim === undefined ? {} : { latentDim }),
    rowDim,
    topology,
    parallel,
    groups,
    localExperts: experts / groups.size,
    ...(placement ? { placement } : {}),
    ...(placed ? { placed } : {}),
    slots: localSlots * groups.size,
    localSlots,
    capacityAlignment,
    dropless,
    gateRows: experts + (gate.identities ?? 0),
    topK: gate.slots === "experts" ? experts + (gate.identities ?? 0) : gate.slots ?? gate.k,
    partial: gate.partial === true || (gate.identities ?? 0) > 0,
    prescore: gate.weighs === "input",
    capacityFactor: dropless ? 0 : routing.capacityFactor,
    batchPrioritized: routing.priority === "scores",
  };
  if (layer.capacityFactor > 0) capacity(layer, 0);
  return layer;
}

/** A checked layer as its user could write it. */
export function configOf(layer: Layer): LayerConfig | UnevenLayerConfig {
  const { tokens, modelDim, hiddenDim, experts, gate, routing, losses, expert, dtype } = layer;
  const { parallel, groups, placement, shared, latentDim, rankTokens } = layer;
  const { capacityFactor, dropless, ...others } = routing;
  return {
    ...(rankTokens ? { tokens: rankTokens } : { tokens }),
    modelDim,
    hiddenDim,
    experts,
    gate,
    losses,
    expert,
    dtype,
    ...(shared ? { shared } : {}),
    ...(latentDim === undefined ? {} : { latentDim }),
    // one group of all ranks stays that in a world of another size
    ...(groups.count > 1 ? { parallel } : {}),
    ...(placement ? { placement } : {}),
    routing: { ...others, dropless, capacityFactor: dropless ? 0 : capacityFactor },
  };
}

/** Bytes of an element of tokens and rows. */
export const elementBytes = ({ dtype }: Layer): number => dtype === "bfloat16" ? 2 : 4;

/** True when the capacity depends on the routing, so that a pass takes two Programs. */
export const routedCapacity = (layer: Layer): boolean =>
  layer.dropless || (layer.capacityFactor <= 0 && !layer.gate.capacity);

/** Places that positions of 32 bits can name. */
const MOST_PLACES = 2 ** 31 - 1;

/**
 * Places of an expert for the tokens of one rank.
 * @param largestLoad most choices of one expert on any rank; used when the factor is 0 or negative.
 * @throws {SchemoeError} when it comes to 0, or to more than a position can name.
 */
export function capacity(layer: Layer, largestLoad: number): number {
  const { capacityFactor: factor, capacityAlignment: alignment, gate, tokens, experts } = layer;
  const own = gate.capacity?.({ ...layer, rows: layer.gateRows });
  const limit = gate.k * Math.floor(Math.abs(factor) * Math.ceil(tokens / experts));
  // where no token has any expert, there is an empty place
  const load = layer.partial ? Math.max(1, largestLoad) : largestLoad;
  const places = own ??
    (factor > 0 ? limit : factor === 0 ? load : Math.min(load, limit));
  const aligned = Math.ceil(places / alignment) * alignment;
  if (aligned < 1) {
    fail(
      `the capacity is 0: capacityFactor ${factor} leaves no place for ${tokens} tokens on ${experts}` +
        " experts; raise it",
    );
  }
  if (!(aligned <= MOST_PLACES)) {
    fail(`capacityFactor ${factor} makes a capacity of ${aligned}, more than 2^31 - 1; lower it`);
  }
  return aligned;
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
