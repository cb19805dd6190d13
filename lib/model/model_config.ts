/** The configuration of a model, as its user writes it. @module */
import type { LayerConfig, Norm, Optimizer, PositionCoding, Rate } from "../blocks/mod.ts";
import type { Expert } from "../blocks/experts/types.ts";
import type { Compressor } from "../compressors/types.ts";
import type { ElementType } from "../kernels/types.ts";

/** A Mixture-of-Experts layer of a model; tokens and width are the model's. */
export type MoeConfig = Omit<LayerConfig, "tokens" | "modelDim" | "dtype">;

/** A dense feed-forward layer of a model. */
export interface DenseConfig {
  /** Width inside the feed-forward network. */
  readonly hiddenDim: number;
  /** The network, as an expert of which there is one for all tokens; a value or, where it needs no options, a name. */
  readonly expert: Expert | string;
}

/** A block: attention, and after it experts or one feed-forward network. */
export type BlockConfig = { readonly moe: MoeConfig } | { readonly ffn: DenseConfig };

/** A model as its user writes it. */
export interface ModelConfig {
  /** Number of different tokens. */
  readonly vocabulary: number;
  /** Tokens of a sequence. */
  readonly context: number;
  /** Sequences of each rank in a step. */
  readonly batch: number;
  /**
   * Equal parts of the batch whose gradients are added up before the update, so that activations of one part are
   * needed at a time; default 1. Tokens are routed, and losses on the routing taken, within a part.
   */
  readonly microbatches?: number;
  /**
   * How the ranks share the experts of all layers, and how many copies there are, such as { expert: 4, data: 2 };
   * default: all ranks hold them together. A layer may have its own.
   */
  readonly parallel?: LayerConfig["parallel"];
  /** Width of a token. */
  readonly modelDim: number;
  /**
   * Type of activations, rows and matrices; default `float32`. With `bfloat16` each parameter of that type is the
   * rounding of a float32 master, which the optimizer updates; gradients, states of the optimizer, weights of norms and
   * gates, and all sums are float32.
   */
  readonly dtype?: ElementType;
  /** Heads; `keyValueHeads` (default `heads`) share keys and values; `headDim`: default modelDim / heads. */
  readonly attention: {
    readonly heads: number;
    readonly keyValueHeads?: number;
    readonly headDim?: number;
  };
  /** One entry for each block: attention, and after it experts (`moe`) or a dense network (`ffn`). */
  readonly layers: readonly BlockConfig[];
  /** Default `rmsNorm()`. */
  readonly norm?: Norm;
  /** Default `learnedPositions()`. */
  readonly positions?: PositionCoding;
  /** Whether the head is the embedding; default false. */
  readonly tied?: boolean;
  /** Default `adamw()`. */
  readonly optimizer?: Optimizer;
  /** A number or a value; default 1e-3. */
  readonly rate?: Rate | number;
  /** Largest norm of all gradients together, 0 for any; default 1. */
  readonly clip?: number;
  /** Pieces into which the reduction of a block's dense gradients is cut, so that others get between; default 1. */
  readonly gradientChunks?: number;
  /**
   * Native codecs of the dense gradients in the two halves of their all-reduce: on their way to the ranks that add them
   * up, and of the sums on their way to all ranks; what each loses is added to what it gets in the next step (error
   * feedback), and kept in checkpoints. A codec alone, such as `int8Blocks`, is that of the first half. Default: none.
   */
  readonly gradientCodec?:
    | Compressor
    | string
    | {
      readonly reduceScatter?: Compressor | string;
      readonly allGather?: Compressor | string;
    };
}
