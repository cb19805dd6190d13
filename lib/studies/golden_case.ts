/** What a reference case holds. @module */
import type { LayerConfig } from "../blocks/mod.ts";

/** A layer with inputs, parameters and what should come out. */
export interface GoldenCase {
  readonly name: string;
  readonly ranks: number;
  readonly config: LayerConfig;
  readonly tensors: ReadonlyMap<
    string,
    { readonly shape: readonly number[]; readonly data: Float32Array }
  >;
}
