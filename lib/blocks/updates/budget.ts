/** The update of LongCat-Flash's selection bias. @module */
import { budgetBias, countChoices } from "../../kernels/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import type { GateUpdate } from "../gates/types.ts";

/** Options of {@linkcode budgetUpdate}. */
export interface BudgetOptions {
  /** Factor of each change. */
  readonly rate: number;
  /** Experts with computation that a token is to have on average, at most the gate's k. */
  readonly active: number;
}

/**
 * After each backward pass the selection bias of an expert with computation moves towards the load at which tokens have
 * `active` of them on average: bias + rate * (active / (k * experts) - load / (all choices)), loads being the
 * choices of all ranks before dropping; the biases of experts without computation stay (the controller of
 * LongCat-Flash, arXiv 2509.01322, section 2.1, whose T_all are the tokens: k * T_all choices). Unlike that of
 * `signUpdate` the step is in proportion to what is lacking.
 *
 * ```ts
 * import { budgetUpdate, topK } from "@schemoe/lab/blocks";
 * const update = budgetUpdate({ rate: 0.1, active: 8 });
 * console.assert(topK({ k: 12, identities: 256, update }).update?.name === "budget");
 * ```
 * @throws {SchemoeError} for a rate or a number of experts that cannot be.
 */
export function budgetUpdate(options: BudgetOptions): GateUpdate {
  const { rate, active }: BudgetOptions = Object(options);
  if (!Number.isFinite(rate)) fail(`rate must be a finite number, got ${quoted(rate)}`);
  if (!(active >= 0 && active < Infinity)) {
    fail(`active must be a number of experts, got ${quoted(active)}`);
  }
  return {
    name: "budget",
    part: (c, part) => {
      if (active > c.k) fail(`active ${active} is more than the ${c.k} choices of a token`);
      return [countChoices({ ...c, k: c.topK }, c.topK, { choices: c.choices, counts: part })];
    },
    apply: (c, loads) => [
      budgetBias({ ...c, rate, share: active / c.k }, { loads, bias: c.tensor("selectionBias") }),
    ],
  };
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the update budget: ${problem}`);
}
