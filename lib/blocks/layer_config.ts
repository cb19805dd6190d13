/**
 * The configuration of a Mixture-of-Experts layer: sizes, routing and experts.
 * @module
 */
import { expect, record } from "../arguments/mod.ts";
import type { ElementType } from "../kernels/types.ts";
import type { Placement } from "../placements/types.ts";
import type { Topology } from "../types.ts";
import type { ExpertGroups, Parallel } from "./expert_groups.ts";
import type { Expert } from "./experts/types.ts";
import type { Gate } from "./gates/types.ts";
import type { Loss } from "./losses/types.ts";
import type { PlacedExperts } from "./placed.ts";
import type { Routing } from "./routing.ts";
import type { ResolvedShared, SharedExpert } from "./shared_expert.ts";

const ELEMENT_BYTES_LAYER = record("a resolved layer, such as resolveLayer(config, topology)", {});

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
   * fewer columns ("latent MoE" of Nemotron-3, Megatron-LM's `moe_latent_size`). The gate, shared
   * experts and those without computation see whole tokens.
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
  /** What each expert computes; a value or, where it needs no options, a name. Default `ffn()`. */
  readonly expert?: Expert | string;
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
  /** What each expert computes. */
  readonly expert: Expert;
  /** Who chooses experts for tokens. */
  readonly gate: Gate;
  /** Capacity and priority of places, or none for a dropless layer. */
  readonly routing: Required<Routing>;
  /** The expert that every token passes; absent where there is none. */
  readonly shared?: ResolvedShared;
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

/** Bytes of an element of tokens and rows. */
export function elementBytes(layer: Layer): number {
  expect("elementBytes", "layer", layer, ELEMENT_BYTES_LAYER);
  const { dtype } = layer;
  return dtype === "bfloat16" ? 2 : 4;
}
