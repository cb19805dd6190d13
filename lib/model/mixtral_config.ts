/** The configuration of models in the layout of Mixtral, as Hugging Face's transformers writes them. @module */
import { aCount, expect, options, record } from "../arguments/mod.ts";
import { rmsNorm, rotaryPositions, swiglu, topK } from "../blocks/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import type { ModelConfig } from "./model_config.ts";

const MIXTRAL_CONFIG_JSON = record("the config.json of a Mixtral model, parsed", {});
const MIXTRAL_CONFIG_OPTIONS = options({ context: aCount, batch: aCount });

/** The fields of a `config.json` that are read. */
export interface MixtralJson {
  /** Different tokens: `vocabulary`. */
  readonly vocab_size: number;
  /** Width of a token: `modelDim`. */
  readonly hidden_size: number;
  /** Width inside an expert: `hiddenDim`. */
  readonly intermediate_size: number;
  /** Blocks of attention and experts. */
  readonly num_hidden_layers: number;
  /** Heads of queries. */
  readonly num_attention_heads: number;
  /** Heads of keys and values; default as many as of queries. */
  readonly num_key_value_heads?: number;
  /** Width of a head; default `hidden_size / num_attention_heads`. */
  readonly head_dim?: number | null;
  /** Experts of each layer. */
  readonly num_local_experts: number;
  /** Experts of a token: k of `topK`. */
  readonly num_experts_per_tok: number;
  /** `epsilon` of `rmsNorm`; default 1e-5. */
  readonly rms_norm_eps?: number;
  /** `base` of `rotaryPositions`; default 1e6. */
  readonly rope_theta?: number;
  /** Whether the head shares the weights of the embedding; default false. */
  readonly tie_word_embeddings?: boolean;
  /** Activation of the experts; only `silu`, the default, can be read. */
  readonly hidden_act?: string;
  /** Tokens back that attention sees; refused where it is below the context, since attention here sees all. */
  readonly sliding_window?: number | null;
  /** Fields beyond these are not read. */
  readonly [key: string]: unknown;
}

/**
 * The model of a `config.json` of `MixtralForCausalLM`; without losses on the routing.
 *
 * ```ts
 * import { mixtralConfig } from "@schemoe/lab/model";
 * const config = mixtralConfig({
 *   vocab_size: 100, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4,
 *   num_key_value_heads: 2, num_local_experts: 4, num_experts_per_tok: 2,
 * }, { context: 16, batch: 2 });
 * console.assert(config.layers.length === 2);
 * ```
 * @throws {SchemoeError} naming a field that is missing or that asks for what models here lack.
 */
export function mixtralConfig(
  json: MixtralJson,
  options: { readonly context: number; readonly batch: number },
): ModelConfig {
  expect("mixtralConfig", "json", json, MIXTRAL_CONFIG_JSON);
  expect("mixtralConfig", "options", options, MIXTRAL_CONFIG_OPTIONS);
  const { context, batch } = options;
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot read the configuration of Mixtral: ${problem}`);
  };
  const number = (name: string, otherwise?: number): number => {
    const value = json[name] ?? otherwise;
    return typeof value === "number" ? value : fail(`${name} is ${quoted(value)}, not a number`);
  };
  const { hidden_act = "silu", sliding_window: window } = json;
  if (hidden_act !== "silu") fail(`hidden_act is ${quoted(hidden_act)}, only "silu" is there`);
  if (typeof window === "number" && window < context) {
    fail(`sliding_window is ${window}, below the context of ${context}`);
  }
  const heads = number("num_attention_heads");
  const moe = {
    experts: number("num_local_experts"),
    hiddenDim: number("intermediate_size"),
    expert: swiglu(),
    gate: topK({ k: number("num_experts_per_tok") }),
    routing: { dropless: true },
    losses: [],
  };
  return {
    vocabulary: number("vocab_size"),
    context,
    batch,
    modelDim: number("hidden_size"),
    attention: {
      heads,
      keyValueHeads: number("num_key_value_heads", heads),
      headDim: number("head_dim", number("hidden_size") / heads),
    },
    layers: Array.from({ length: number("num_hidden_layers") }, () => ({ moe })),
    norm: rmsNorm({ epsilon: number("rms_norm_eps", 1e-5) }),
    positions: rotaryPositions({ base: number("rope_theta", 1e6) }),
    tied: json.tie_word_embeddings ?? false,
  };
}
