/** A model's Mixture-of-Experts layers as published, as data. @module */
import type { GateScores } from "../../kernels/types.ts";

/** Sizes and router of a model's layers. */
export interface ModelSpec {
  /** By which `model` finds it. */
  readonly name: string;
  /** Layers with experts. */
  readonly layers: number;
  /** Width of a token. */
  readonly modelDim: number;
  /** Width inside an expert. */
  readonly hiddenDim: number;
  /** Routed experts; shared ones and those without computation are counted apart. */
  readonly experts: number;
  /** Experts of a token. */
  readonly topK: number;
  /** How experts are chosen and weighed. */
  readonly router: ModelRouter;
  /** `swiglu` (default); `clamped`: gpt-oss's, with biases; `limited`: DeepSeek-V4's. */
  readonly expert?: "clamped" | "limited";
  /** Shared experts as one of their common width. */
  readonly shared?: { readonly hiddenDim: number; readonly gate?: "sigmoid" };
  /** Losses by name, with their weights. */
  readonly losses: Readonly<Partial<Record<ModelLoss, number>>>;
  /** Ranks that hold all experts together. */
  readonly expertParallel: number;
  /** Where sizes, router and groups come from: a report, a recipe, a configuration, or `assumed`. */
  readonly sources: Readonly<Record<"sizes" | "router" | "groups", string>>;
  /** How the layer differs from the model's. */
  readonly differs?: string;
}

/** Losses of these models. */
export type ModelLoss = "switch" | "globalBatch" | "sequence" | "orthogonal";

/** How a token gets its experts and their weights. */
export interface ModelRouter {
  /** How logits become scores. */
  readonly scores: GateScores;
  /** A trained bias in the logits. */
  readonly bias?: boolean;
  /** Rate by which a bias for selection alone moves after each step; absent: there is none. */
  readonly biasRate?: number;
  /** Experts with computation that a token has on average, by that bias; absent: the bias moves by signs. */
  readonly active?: number;
  /** Groups of experts, and the number of them a token may use. */
  readonly groups?: number;
  /** Groups of experts among which a token chooses. */
  readonly groupLimit?: number;
  /** Weights of a token divided by their sum; default true. */
  readonly normalize?: boolean;
  /** Factor of all weights; default 1. */
  readonly scale?: number;
  /** Default `output`. */
  readonly weighs?: "input";
  /** Experts without computation. */
  readonly identities?: number;
  /** The first layers choose by a table over so many token numbers. */
  readonly hash?: { readonly layers: number; readonly vocabulary: number };
}
