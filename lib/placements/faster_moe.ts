/** Popular experts on all ranks, as many as a model of a training step says. @module */
import { anything, expect, options, someLoads } from "../arguments/mod.ts";
import { type Loads, SchemoeError } from "../types.ts";
import { identityPlacement } from "./identity.ts";
import { expertLoads } from "./loads.ts";
import type { Placement } from "./types.ts";
import { quoted } from "../words.ts";

const FASTER_MOE_SHADOWS_COSTS = options({ token: anything, send: anything, weights: anything });

/** Seconds that the model of {@linkcode fasterMoeShadows} goes by. */
export interface ShadowCosts {
  /** Forward computation of a token by an expert. */
  readonly token: number;
  /** A token on its way from rank to rank, once. */
  readonly send: number;
  /** The weights of an expert on their way to all ranks. */
  readonly weights: number;
}

/**
 * FasterMoE's dynamic shadowing (He et al., PPoPP'22, section 4): experts are taken by falling load, and the first n of
 * them get a copy on every rank, n being that with the least time of a training step,
 *
 *     3 token max(tokens computed by a rank) + 4 send max(tokens sent or received by a rank) + 2 n weights
 *
 * one forward and two backward computations, four all-to-alls, weights there and gradients back. On top of equal runs.
 *
 * ```ts
 * import { fasterMoeShadows } from "@schemoe/lab/placements";
 * const loads = { ranks: 2, experts: 2, table: Int32Array.of(9, 1, 9, 1) };
 * const { slots } = fasterMoeShadows(loads, { token: 1, send: 1, weights: 5 });
 * console.assert(slots[0].join() === "0" && slots[1].join() === "0,1");
 * ```
 * @throws {SchemoeError} when ranks do not divide the experts, or a cost is no number of at least 0.
 */
export function fasterMoeShadows(loads: Loads, costs: ShadowCosts): Placement {
  expect("fasterMoeShadows", "loads", loads, someLoads);
  expect("fasterMoeShadows", "costs", costs, FASTER_MOE_SHADOWS_COSTS);
  for (const [name, value] of Object.entries(costs)) {
    if (typeof value === "number" && value >= 0 && value < Infinity) continue;
    throw new SchemoeError(
      `Cannot shadow experts: ${name} must be seconds of at least 0, got ${quoted(value)}`,
    );
  }
  const { ranks, experts, table } = loads;
  const base = identityPlacement(experts, ranks);
  const each = experts / ranks;
  const load = expertLoads(loads);
  const computed = new Float64Array(ranks);
  const sent = new Float64Array(ranks);
  const received = new Float64Array(ranks);
  for (let expert = 0; expert < experts; expert++) {
    const home = Math.floor(expert / each);
    computed[home] += load[expert];
    for (let rank = 0; rank < ranks; rank++) {
      if (rank === home) continue;
      sent[rank] += table[rank * experts + expert];
      received[home] += table[rank * experts + expert];
    }
  }
  const most = (values: Float64Array) => values.reduce((a, b) => Math.max(a, b), 0);
  const seconds = (shadows: number) =>
    3 * costs.token * most(computed) + 4 * costs.send * Math.max(most(sent), most(received)) +
    2 * shadows * costs.weights;
  const popular = Array.from(load.keys()).sort((a, b) => load[b] - load[a] || a - b);
  let [best, least] = [0, seconds(0)];
  for (const [i, expert] of popular.entries()) {
    const home = Math.floor(expert / each);
    for (let rank = 0; rank < ranks; rank++) {
      if (rank === home) continue;
      const tokens = table[rank * experts + expert];
      computed[home] -= tokens;
      computed[rank] += tokens;
      sent[rank] -= tokens;
      received[home] -= tokens;
    }
    const now = seconds(i + 1);
    if (now < least) [best, least] = [i + 1, now];
  }
  const hot = popular.slice(0, best);
  const slots = base.slots.map((own) => [...new Set([...own, ...hot])].toSorted((a, b) => a - b));
  return { name: "fasterMoE", experts, slots };
}
