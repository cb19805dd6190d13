/** Fields of a reference case, and what a token gets from its gate. */
import type { GoldenGate } from "../../lib/studies/golden_router.ts";

/** The gate of a case, of the kinds of scores that are drawn. */
export interface CaseGate extends GoldenGate {
  readonly scores: "softmax" | "sigmoid" | "sqrtsoftplus" | "softmaxOfChosen" | "relu";
}

/** Fields of a case. */
export interface CaseFields {
  readonly ranks: number;
  readonly tokens: number;
  readonly modelDim: number;
  readonly hiddenDim: number;
  readonly experts: number;
  readonly latentDim?: number;
  readonly topK: number;
  readonly capacityFactor: number;
  readonly batchPrioritized: boolean;
  readonly activation: string;
  readonly expert: "ffn" | "llama_ffn" | "geglu" | "relu2" | "clampedSwiglu";
  readonly bias: boolean;
  readonly gate: CaseGate;
  readonly shared?: {
    readonly hiddenDim: number;
    readonly kind: "swiglu" | "ffn";
    readonly gate: "none" | "sigmoid";
    readonly activation: string;
  };
  readonly losses: readonly { readonly name: string; readonly weight: number }[];
  readonly updates?: readonly {
    readonly name: "sign" | "quantile";
    readonly rate?: number;
    readonly ema?: number;
  }[];
}

/** One token of a rank. */
export interface Token {
  readonly z: number[];
  readonly clean: number[];
  readonly deviation: number[];
  readonly s: number[];
  /** Rows in the order of choice. */
  chosen: number[];
  /** Weight of each row. */
  w: number[];
  /** Rows whose choice found no place. */
  readonly dropped: Set<number>;
}
