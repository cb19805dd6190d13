/**
 * What a Mixture-of-Experts layer computes: sizes, routing and experts.
 * @module
 */
import { checkExpert } from "./experts/check.ts";
import { ffn } from "./experts/mod.ts";
import { topK as topKGate } from "./gates/mod.ts";
import { type ElementType, type Expert, type Gate, SchemoeError, type Topology } from "../types.ts";

/** A layer as its user writes it. */
export interface LayerConfig {
  /** Tokens of each rank. */
  readonly tokens: number;
  /** Width of a token. */
  readonly modelDim: number;
  /** Width inside an expert. */
  readonly hiddenDim: number;
  /** Experts of the whole world; a multiple of the number of ranks. */
  readonly experts: number;
  /** Experts of a token; default 1. */
  readonly topK?: number;
  /**
   * Places of an expert for the tokens of one rank: positive f gives `topK * floor(f * ceil(tokens /
   * experts))`; 0 the largest load; negative f the smaller of the largest load and what -f gives.
   * Default 1.
   */
  readonly capacityFactor?: number;
  /** The capacity is rounded up to a multiple of it; default 1. */
  readonly capacityAlignment?: number;
  /**
   * No token is dropped and nothing is padded: each expert computes, and ranks exchange, exactly the rows
   * that there are (`capacityFactor: 0` drops none either, and pads every expert to the largest load).
   * Excludes a capacityFactor other than 0 and a capacityAlignment. Default false.
   */
  readonly dropless?: boolean;
  /** For topK > 1: divide the weights of a token by their sum (before dropping); default true. */
  readonly normalizeGate?: boolean;
  /** Places go to tokens by descending best score instead of token order; default false. */
  readonly batchPrioritized?: boolean;
  /** Multiply tokens by their weights before the expert instead of after; default false. */
  readonly prescore?: boolean;
  /** Factor of the auxiliary loss in the total loss; default 0. */
  readonly auxWeight?: number;
  /**
   * Type of tokens, activations, expert parameters and their gradients (those of vectors stay
   * float32); the gate is float32 either way. Default `float32`; `bfloat16` runs on the CUDA engine.
   *
   * What compares it with float32 gives both values that bfloat16 holds: rounding tokens and parameters
   * opens or closes units of a ReLU near 0, which moved gradients by up to 23 % of the largest (288
   * uneven routings on the CPU engine, bfloat16 emulated by rounding). With such values the emulation
   * stayed within 3.3 %.
   */
  readonly dtype?: ElementType;
  /** Default `ffn()`. */
  readonly expert?: Expert;
  /** Default `topK`. */
  readonly gate?: Gate;
}

/** A checked layer on a topology, nothing left open but a capacity that depends on the routing. */
export interface Layer extends Required<LayerConfig> {
  readonly topology: Topology;
  /** Experts of each rank. */
  readonly localExperts: number;
}

const DEFAULTS = {
  dtype: "float32" as ElementType,
  topK: 1,
  capacityFactor: 1,
  capacityAlignment: 1,
  dropless: false,
  normalizeGate: true,
  batchPrioritized: false,
  prescore: false,
  auxWeight: 0,
};

/**
 * Checks a layer for a topology and fills in defaults.
 * @throws {SchemoeError} naming the first field that is wrong.
 */
export function resolveLayer(config: LayerConfig, topology: Topology): Layer {
  const known = [
    "tokens",
    "modelDim",
    "hiddenDim",
    "experts",
    "expert",
    "gate",
    ...Object.keys(DEFAULTS),
  ];
  if (typeof config !== "object" || config === null) {
    fail(`give an object with ${known.slice(0, 4).join(", ")}, got ${config}`);
  }
  const foreign = Object.keys(config).find((key) => !known.includes(key));
  if (foreign) fail(`"${foreign}" is not a field of a layer (${known.join(", ")})`);
  const layer = { expert: ffn(), gate: topKGate, ...DEFAULTS, ...definedOnly(config) } as Required<
    LayerConfig
  >;
  for (
    const name of [
      "tokens",
      "modelDim",
      "hiddenDim",
      "experts",
      "topK",
      "capacityAlignment",
    ] as const
  ) {
    if (!Number.isInteger(layer[name]) || layer[name] < 1) {
      fail(`${name} must be a positive integer, got ${layer[name]}`);
    }
  }
  for (const name of ["capacityFactor", "auxWeight"] as const) {
    if (!Number.isFinite(layer[name])) fail(`${name} must be a finite number, got ${layer[name]}`);
  }
  for (const name of ["normalizeGate", "batchPrioritized", "prescore", "dropless"] as const) {
    if (typeof layer[name] !== "boolean") fail(`${name} must be true or false, got ${layer[name]}`);
  }
  if (layer.dropless) checkDropless(config);
  if (!["float32", "bfloat16"].includes(layer.dtype)) {
    fail(`dtype must be float32 or bfloat16, got ${layer.dtype}`);
  }
  if (layer.topK > layer.experts) {
    fail(`topK ${layer.topK} is more than the ${layer.experts} experts there are`);
  }
  const { ranks } = topology;
  if (layer.experts % ranks !== 0) {
    fail(`${ranks} ranks do not divide ${layer.experts} experts; each rank holds equally many`);
  }
  checkExpert(layer.expert, layer);
  for (const name of ["forward", "backward", "flops"] as const) {
    if (typeof layer.gate?.[name] !== "function") fail(`gate has no function "${name}"`);
  }
  const capacityFactor = layer.dropless ? 0 : layer.capacityFactor;
  const resolved = { ...layer, capacityFactor, topology, localExperts: layer.experts / ranks };
  if (capacityFactor > 0) capacity(resolved, 0);
  return resolved;
}

/** Bytes of an element of tokens and rows. */
export const elementBytes = ({ dtype }: Layer): number => dtype === "bfloat16" ? 2 : 4;

/** True when the capacity depends on the routing, so that a pass takes two Programs. */
export const routedCapacity = (layer: Layer): boolean => layer.capacityFactor <= 0;

/**
 * Places of an expert for the tokens of one rank.
 * @param largestLoad most choices of one expert on any rank; used when the factor is 0 or negative.
 * @throws {SchemoeError} when it comes to 0.
 */
export function capacity(layer: Layer, largestLoad: number): number {
  const { capacityFactor: factor, capacityAlignment: alignment, topK, tokens, experts } = layer;
  const limit = topK * Math.floor(Math.abs(factor) * Math.ceil(tokens / experts));
  const places = factor > 0 ? limit : factor === 0 ? largestLoad : Math.min(largestLoad, limit);
  const aligned = Math.ceil(places / alignment) * alignment;
  if (aligned < 1) {
    fail(
      `the capacity is 0: capacityFactor ${factor} leaves no place for ${tokens} tokens on ${experts}` +
        " experts; raise it",
    );
  }
  return aligned;
}

function checkDropless({ capacityFactor = 0, capacityAlignment = 1 }: LayerConfig): void {
  if (capacityFactor !== 0) {
    fail(
      `dropless excludes the capacityFactor ${capacityFactor}, which drops tokens; leave one of them out`,
    );
  }
  if (capacityAlignment !== 1) {
    fail(
      `dropless excludes the capacityAlignment ${capacityAlignment}: there is no padding to align; leave one ` +
        "of them out",
    );
  }
}

function definedOnly(config: LayerConfig): Partial<LayerConfig> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the layer: ${problem}`);
}
