/** The update of DeepSeek-V3's selection bias. @module */
import { anything, expect, options } from "../../arguments/mod.ts";
import { countChoices, signBias } from "../../kernels/mod.ts";
import { SchemoeError } from "../../types.ts";
import { quoted } from "../../words.ts";
import type { GateUpdate } from "../gates/types.ts";

const SIGN_UPDATE_OPTIONS = options({ rate: anything });

/**
 * After each backward pass: bias + rate * sign(mean load - load), loads being the choices of all ranks before dropping
 * (DeepSeek-V3, arXiv 2412.19437; Wang et al., arXiv 2408.15664).
 *
 * ```ts
 * import { signUpdate, topK } from "@schemoe/lab/blocks";
 * console.assert(topK({ k: 2, update: signUpdate({ rate: 1e-3 }) }).update?.name === "sign");
 * ```
 * @throws {SchemoeError} for a rate that is no number.
 */
export function signUpdate(options: { readonly rate: number }): GateUpdate {
  expect("signUpdate", "options", options, SIGN_UPDATE_OPTIONS);
  const { rate }: typeof options = Object(options);
  if (!Number.isFinite(rate)) {
    throw new SchemoeError(
      `Cannot make the update sign: rate must be a finite number, got ${quoted(rate)}`,
    );
  }
  return {
    name: "sign",
    part: (c, part) => [
      countChoices({ ...c, k: c.topK }, c.topK, { choices: c.choices, counts: part }),
    ],
    apply: (c, loads) => [
      signBias({ rows: c.rows, rate }, { loads, bias: c.tensor("selectionBias") }),
    ],
  };
}
