/** Built-in experts with the other source of the gradient of weights. */
import type { Activation } from "../../lib/kernels/mod.ts";
import * as blocks from "../../lib/blocks/mod.ts";
import type { Expert, ScoreGradientOption } from "../../lib/blocks/mod.ts";

type Make = (options: ScoreGradientOption) => Expert;

/** The same expert with `scoreGradient: "activation"`. */
export function byActivation(expert: Expert): Expert {
  const [, name, options = ""] = /^(\w+)(?:\((.*)\))?$/.exec(expert.name)!;
  const scoreGradient = "activation";
  if (name !== "ffn") return (blocks as unknown as Record<string, Make>)[name]({ scoreGradient });
  const [activation, ...others] = options.split(", ");
  const bias = !others.includes("no bias");
  return blocks.ffn({ activation: activation as Activation, bias, scoreGradient });
}
