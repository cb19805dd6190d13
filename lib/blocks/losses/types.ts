/** The interface of losses on the routing, and the context of their kernels. @module */
import type { GateScores } from "../../kernels/types.ts";
import type { Kernel, View } from "../../types.ts";
import type { GateContext, GateShape, GateTensor } from "../gates/types.ts";

/** Tensors of a loss on one rank. */
export interface LossContext extends GateContext {
  /** Ranks over which `counts` are summed: all of them for a loss over the global batch, else 1. */
  readonly ranks: number;
  /** Factor of the loss in the total. */
  readonly weight: number;
  /** Ranks that have tokens: a loss without tokens is split among them. */
  readonly busyRanks: number;
  /** How the gate makes scores. */
  readonly kind: GateScores;
  /** A tensor of the gate; `tensor` gives those of the loss. @throws {SchemoeError} for an unknown name. */
  gateTensor(name: string): View;
  /** [rows]: tokens, as the loss counts them. */
  readonly counts: View;
  /** [1] float32: its value. */
  readonly loss: View;
  /** [1] float32: the weighted sum of all losses, to which `weight` times this one is added. */
  readonly total: View;
}

/** A loss on the routing, in the total with its weight. */
export interface Loss {
  /** Key of `run.losses`. */
  readonly name: string;
  /** What it is multiplied by in the sum. */
  readonly weight: number;
  /** Whether its counts are summed over all ranks. */
  readonly global?: boolean;
  /** Whether it counts first choices, so that the gate must order them. */
  readonly first?: boolean;
  /** Slopes that it leaves for the gate's backward pass: it adds its own, times its weight, to those of `context.slopes`. */
  readonly slopes: readonly ("balance" | "importance" | "load" | "z")[];
  /** Tensors of the gate that it reads besides those of every routing. */
  readonly needs?: readonly string[];
  /** Tensors of its own, called `loss.`, its name and theirs. */
  tensors?(shape: GateShape & { readonly k: number }): readonly GateTensor[];
  /** Writes `counts`. */
  count?(context: LossContext): readonly Kernel[];
  /** Kernels that write `loss`, add it times its weight to `total`, and leave its slopes for the backward pass. */
  forward(context: LossContext): readonly Kernel[];
  /** Of a loss on parameters of the gate: adds to their gradients, after the gate's backward pass. */
  backward?(context: LossContext): readonly Kernel[];
}
