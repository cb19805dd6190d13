/** Experts and activations of a reference case's configuration. @module */
import { clampedSwiglu, ffn, geglu, limitedSwiglu, swiglu } from "../blocks/experts/mod.ts";
import type { Expert } from "../blocks/experts/types.ts";
import type { Activation } from "../kernels/mod.ts";

const ACTIVATION: Record<string, Activation> = {
  relu: "relu",
  gelu: "gelu",
  silu: "silu",
  gelu_tanh: "geluTanh",
  geluTanh: "geluTanh",
};

const relu2 = () => ffn({ activation: "reluSquared", bias: false });

/** The expert of a case, from the fields of its file. Calls `fail` for one that is not known. */
export function goldenExpert(
  config: Readonly<Record<string, unknown>>,
  fail: (problem: string) => never,
): Expert {
  const activation = Object.hasOwn(ACTIVATION, String(config.activation))
    ? ACTIVATION[String(config.activation)]
    : fail(
      `unknown activation "${config.activation}", known are ${Object.keys(ACTIVATION).join(", ")}`,
    );
  if (config.expert === "llama_ffn" || config.expert === "swiglu") {
    return activation === "silu"
      ? swiglu()
      : fail(`expert "${config.expert}" with activation "${activation}"`);
  }
  const others = { geglu, clampedSwiglu, limitedSwiglu, relu2 };
  if (Object.hasOwn(others, String(config.expert))) {
    return others[config.expert as keyof typeof others]();
  }
  if (config.expert !== undefined && config.expert !== "ffn") {
    fail(
      `unknown expert "${config.expert}", known are ffn, llama_ffn, ${
        Object.keys(others).join(", ")
      }`,
    );
  }
  return ffn({ activation, bias: config.bias !== false });
}
