/** Experts and activations of a reference case's configuration. @module */
import { ffn, swiglu } from "../blocks/experts/mod.ts";
import type { Expert } from "../blocks/experts/types.ts";
import { expertByName, EXPERTS } from "../blocks/resolve_expert.ts";
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
  if (config.expert === "relu2") return relu2();
  if (config.expert !== undefined && config.expert !== "ffn") {
    return expertByName(String(config.expert)) ?? fail(
      `unknown expert "${config.expert}", known are ${
        [...EXPERTS, "llama_ffn", "relu2"].join(", ")
      }`,
    );
  }
  return ffn({ activation, bias: config.bias !== false });
}
