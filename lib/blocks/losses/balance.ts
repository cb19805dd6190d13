/** Losses that are linear in the mean probability of each expert. @module */
import { balanceLoss, countChoices } from "../../kernels/mod.ts";
import type { Loss, LossContext } from "./types.ts";
import { checkWeight } from "./weight.ts";

/** Options of a loss. */
export interface LossWeight {
  /** Factor of the loss in the total. */
  readonly weight: number;
}

/** Which choices of a token a loss counts. */
interface Counted {
  readonly name: string;
  readonly weight: number;
  readonly global?: boolean;
  /** First choices alone, or all. */
  readonly first: boolean;
}

/**
 * rows * sum over e of (mean probability of e) * (share of the counted choices that are e), the share over all ranks
 * for a global one.
 */
export function balance({ name, weight, global = false, first }: Counted): Loss {
  checkWeight(name, weight);
  return {
    name,
    weight,
    global,
    ...(first ? { first } : {}),
    slopes: ["balance"],
    count: (c) => [countChoices({ ...c, k: c.topK }, first ? 1 : c.topK, c)],
    forward: (c) => [balanceOf(c, first ? 1 : c.k)],
  };
}

/** The loss from its counts. */
export const balanceOf = (
  c: LossContext,
  /** Counted choices of a token. */
  choices: number,
) =>
  balanceLoss(
    c,
    {
      scores: c.kind,
      // With padding the kernel divides counts by their sum.
      factor: c.padding ? c.rows : c.rows / (choices * c.tokens * c.ranks),
      weight: c.weight,
    },
    {
      ...c,
      balance: c.slopes.balance!,
      scores: c.kind === "softmaxOfChosen" ? c.logits : c.scores,
    },
  );
