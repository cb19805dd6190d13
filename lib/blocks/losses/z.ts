/** The z-loss of routers. @module */
import { zLoss } from "../../kernels/mod.ts";
import type { Loss } from "./types.ts";
import type { LossWeight } from "./balance.ts";
import { weightOf } from "./weight.ts";

/**
 * Mean over a rank's tokens of the squared logsumexp of their logits (Zoph et al., "ST-MoE", arXiv 2202.08906).
 *
 * ```ts
 * import { z } from "@schemoe/lab/blocks";
 * console.assert(z({ weight: 1e-3 }).weight === 1e-3);
 * ```
 */
export function z(options: LossWeight): Loss {
  const weight = weightOf("z", options);
  return { name: "z", weight, slopes: ["z"], forward: (c) => [zLoss(c, c.weight, c)] };
}
