/** A reference case. @module */
import type { Expert, LayerConfig } from "../blocks/mod.ts";

/** A layer with inputs, parameters and what should come out. */
export interface GoldenCase {
  readonly name: string;
  readonly ranks: number;
  readonly config: LayerConfig & { readonly expert?: Expert };
  /** Whether its `aux_loss` is the loss of GShard without the weight; else it is all losses with theirs. */
  readonly unweighted: boolean;
  readonly tensors: ReadonlyMap<
    string,
    { readonly shape: readonly number[]; readonly data: Float32Array }
  >;
}
