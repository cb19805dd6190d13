/** The interface of gates, and the context of their kernels. @module */
import type { ElementType, GateScores } from "../../kernels/types.ts";
import type { RouterTrace } from "../../routing/types.ts";
import type { HostFunction, Kernel, Loads, View } from "../../types.ts";

/** Sizes that a gate depends on. */
export interface GateShape {
  /** Tokens of a rank. */
  readonly tokens: number;
  /** Of each rank, where they differ; `tokens` is then the largest, or in the kernels of a rank its own. */
  readonly rankTokens?: readonly number[];
  /** Width of a token. */
  readonly modelDim: number;
  /** Routed experts of the layer. */
  readonly experts: number;
  /** Experts, including those without computation. */
  readonly rows: number;
}

/** A tensor of a gate's own, called `gate.` and its name. */
export interface GateTensor {
  /** Without the prefix `gate.`. */
  readonly name: string;
  /** Sizes, the slowest dimension first. */
  readonly shape: readonly number[];
  /** Default float32. */
  readonly dtype?: "float32" | "int32";
  /**
   * `parameter`: trained, the same on all ranks; `state`: the same on all ranks, without a gradient; the others
   * are each rank's own: `input` set by the user, `saved` from forward to backward, `pass` within a pass.
   */
  readonly life: "parameter" | "state" | "input" | "saved" | "pass";
  /** Standard deviation of the values it begins with; default 0. */
  readonly deviation?: number;
  /** Or one value that all its elements begin with; default 0. */
  readonly constant?: number;
}

/** Tensors of the gate of one rank; float32 but for `x`, `dx` and those marked int32. */
export interface GateContext extends GateShape {
  /** Type of `x` and `dx`; default `float32`. */
  readonly dtype?: ElementType;
  /** Choices that a token has room for. */
  readonly topK: number;
  /** Experts of a token, as the gate has it: fewer than `topK` where most choices are none. */
  readonly k: number;
  /** Whether choices may be -1 or experts without computation, so that `targets` tell them apart. */
  readonly partial: boolean;
  /** Whether places go to tokens by descending best score. */
  readonly prioritized: boolean;
  /** Places of an expert where they do not depend on the routing, else 0. */
  readonly capacity: number;
  /** [tokens, modelDim]. */
  readonly x: View;
  /** [tokens, rows] each. */
  readonly logits: View;
  /** What the logits become, [tokens, rows]. */
  readonly scores: View;
  /** Row of each choice, [tokens, topK] int32; -1: none. */
  readonly choices: View;
  /** Weight of each choice, [tokens, topK]. */
  readonly weights: View;
  /** Place of each choice among the rows of its expert, [tokens, topK] int32. */
  readonly positions: View;
  /** Of a partial gate: the choices with expert 0 where there is no row (int32); else `choices`. */
  readonly targets: View;
  /** [rows] int32: tokens that chose it, before dropping. */
  readonly loads: View;
  /** Backward: gradient of `weights`, of the logits, and of `x` (added to when `accumulate`). */
  readonly dWeights: View;
  /** Gradient of the logits, [tokens, rows]. */
  readonly dLogits: View;
  /** Gradient of the tokens, [tokens, modelDim]. */
  readonly dx: View;
  /** Whether `dx` is added to instead of written. */
  readonly accumulate: boolean;
  /**
   * Slopes that the losses of the layer left for backward, their weights in them; absent where no loss has any. Of the
   * sum of losses by a token's share of a row, its score over the sum of its scores (`balance` [rows]), and by the weight of a choice of the row
   * (`importance` [rows]); `zWeight` is the weight of the z-loss.
   */
  readonly slopes: {
    readonly balance?: View;
    readonly importance?: View;
    readonly load?: View;
    readonly zWeight: number;
    /** Of a fused gate: weight of the loss of GShard where no other loss has slopes; 0 without losses. */
    readonly gshard?: number;
  };
  /** Of a gate with padding: [tokens] int32, other than 0 where a token is padding. */
  readonly padding?: View;
  /** A tensor of its own. @throws {SchemoeError} for an unknown name. */
  tensor(name: string): View;
  /** This rank's part of the gradient of a parameter. */
  gradient(name: string): View;
  /**
   * Kernel that calls a JavaScript function; its lane waits, other lanes go on. `matrixOf`, `readRows` and `writeRows` of
   * `@schemoe/lab/kernels` give it tensors as floats, bfloat16 ones too.
   */
  host(run: HostFunction): Kernel;
}

/** Chooses experts and their weights for each token. */
export interface Gate {
  /** What layers, captions and errors call it. */
  readonly name: string;
  /** Experts of a token, for the capacity and captions. */
  readonly k: number;
  /** Choices that a token has room for, `experts`: one for each row; default `k`, and choices then are in order. */
  readonly slots?: number | "experts";
  /** Operand of a weight: the expert's output (default) or its input. */
  readonly weighs?: "output" | "input";
  /** Experts without computation, which return their input; default 0. */
  readonly identities?: number;
  /** Whether choices may be -1; so are those of a gate with identities, in effect. Default false. */
  readonly partial?: boolean;
  /** Whether its tensor `padding` marks tokens that are in no loss. Default false. */
  readonly padding?: boolean;
  /** How logits become scores; absent: losses that need scores are refused. */
  readonly scores?: GateScores;
  /** Whether its backward kernel adds the gradient of the loss of GShard where that is the only loss. */
  readonly fused?: boolean;
  /** Its choices counted, of a gate whose routing is known before it runs: for engines that compute no values. */
  loads?(): Loads;
  /** Its choices, of such a gate. */
  routing?(): RouterTrace;
  /** Its own places of an expert for the tokens of a rank, instead of the routing's. */
  capacity?(shape: GateShape & { readonly capacityFactor: number }): number;
  /** Tensors of its own; default `weight` [rows, modelDim], trained. */
  tensors?(shape: GateShape): readonly GateTensor[];
  /**
   * Kernels from tokens to choices, weights and places. They write `choices`, `weights`, `positions`, `loads` and, of a
   * partial gate, `targets` (the last three are what `placeChoices` or `positions` of `@schemoe/lab/kernels` makes of the
   * choices), and what losses read: `logits` and `scores`.
   */
  forward(context: GateContext): readonly Kernel[];
  /**
   * Kernels from the gradient of the weights, and the slopes of losses, to those of its parameters and of the tokens:
   * `dx` is added to where `accumulate` says so.
   */
  backward(context: GateContext): readonly Kernel[];
  /** Its update without a gradient, after the backward pass. */
  readonly update?: GateUpdate;
  /** Floating-point operations of a rank in each pass. */
  flops(shape: GateShape): { forward: number; backward: number };
}

/** A change without a gradient: what each rank finds is summed over ranks, and applied by all. */
export interface GateUpdate {
  /** What captions call it. */
  readonly name: string;
  /** Writes this rank's part [rows]. */
  part(context: GateContext, part: View): readonly Kernel[];
  /** Applies the sum over all ranks. */
  apply(context: GateContext, sum: View & { readonly ranks: number }): readonly Kernel[];
}
