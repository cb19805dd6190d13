/** Models in the layout of Mixtral, as Hugging Face's transformers writes them. @module */
import { rmsNorm, rotaryPositions, swiglu, topK } from "../blocks/mod.ts";
import { openSafetensors, type SafetensorsFile } from "../files/mod.ts";
import { SchemoeError } from "../types.ts";
import { quoted } from "../words.ts";
import type { ModelConfig } from "./model_config.ts";
import type { MoeModel } from "./model.ts";

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
  { context, batch }: { readonly context: number; readonly batch: number },
): ModelConfig {
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

/** The tensor of the files, or one per expert, that make a parameter. */
interface Source {
  readonly parameter: string;
  readonly names: readonly string[];
  /** Stored [out, in], as torch's linear layers are. */
  readonly transposed: boolean;
}

function sources({ shape }: MoeModel): Source[] {
  const plain = (parameter: string, name: string): Source => ({
    parameter,
    names: [`${name}.weight`],
    transposed: false,
  });
  const linear = (parameter: string, name: string): Source => ({
    parameter,
    names: [`${name}.weight`],
    transposed: true,
  });
  const list = [plain("embedding", "model.embed_tokens"), plain("norm", "model.norm")];
  if (!shape.tied) list.push(linear("head", "lm_head"));
  for (const [index, block] of shape.layers.entries()) {
    const [of, from] = [`blocks.${index}`, `model.layers.${index}`];
    if (!("moe" in block)) {
      throw new SchemoeError(`Cannot load the weights of Mixtral: layers[${index}] has no experts`);
    }
    list.push(
      plain(`${of}.attention.norm`, `${from}.input_layernorm`),
      ...["q", "k", "v", "o"].map((name) =>
        linear(`${of}.attention.${name}`, `${from}.self_attn.${name}_proj`)
      ),
      plain(`${of}.moe.norm`, `${from}.post_attention_layernorm`),
      plain(`${of}.moe.gate.weight`, `${from}.block_sparse_moe.gate`),
      ...["w1", "w2", "w3"].map((name) => ({
        parameter: `${of}.moe.experts.${name}`,
        transposed: true,
        names: Array.from(
          { length: block.moe.experts },
          (_, expert) => `${from}.block_sparse_moe.experts.${expert}.${name}.weight`,
        ),
      })),
    );
  }
  return list;
}

/**
 * Loads weights under the names of `MixtralForCausalLM`, of any float type, from one safetensors file or the parts
 * of one. The model has the sizes of {@linkcode mixtralConfig}.
 *
 * @throws {SchemoeError} when a tensor is missing or of another shape; nothing is changed then.
 */
export async function loadMixtral(
  model: MoeModel,
  paths: string | URL | readonly (string | URL)[],
): Promise<void> {
  const files: SafetensorsFile[] = [];
  try {
    for (const path of Array.isArray(paths) ? paths : [paths]) {
      files.push(await openSafetensors(path));
    }
    const list = sources(model);
    for (const source of list) check(model, source, files);
    await model.ready();
    for (const source of list) {
      model.set({ [source.parameter]: await valuesOf(model, source, files) });
    }
  } finally {
    for (const file of files) file.close();
  }
}

const holding = (files: readonly SafetensorsFile[], name: string): SafetensorsFile | undefined =>
  files.find(({ tensors }) => tensors.has(name));

/** Rows and columns of one of the tensors that make a parameter, as stored. */
function storedShape(model: MoeModel, { parameter, names, transposed }: Source): number[] {
  const shape = model.parameters[parameter];
  const one = names.length > 1 ? shape.slice(1) : shape;
  return transposed ? [one[1], one[0]] : [...one];
}

function check(model: MoeModel, source: Source, files: readonly SafetensorsFile[]): void {
  const where = files.map(({ path }) => path).join(", ");
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot load the weights of Mixtral from ${where}: ${problem}`);
  };
  if (!Object.hasOwn(model.parameters, source.parameter)) {
    fail(`the model has no parameter "${source.parameter}"; make it by mixtralConfig`);
  }
  const expected = storedShape(model, source);
  for (const name of source.names) {
    const found = holding(files, name)?.tensors.get(name);
    if (!found) fail(`there is no tensor "${name}"`);
    if (found!.shape.join() === expected.join()) continue;
    fail(`"${name}" is [${found!.shape.join(", ")}], not [${expected.join(", ")}]`);
  }
}

async function valuesOf(
  model: MoeModel,
  source: Source,
  files: readonly SafetensorsFile[],
): Promise<Float32Array> {
  const { names, transposed } = source;
  const [rows, columns = 1] = storedShape(model, source);
  const all = new Float32Array(names.length * rows * columns);
  for (const [i, name] of names.entries()) {
    const stored = Float32Array.from(await holding(files, name)!.read(name) as Float32Array);
    const first = i * rows * columns;
    if (!transposed) {
      all.set(stored, first);
      continue;
    }
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        all[first + column * rows + row] = stored[row * columns + column];
      }
    }
  }
  return all;
}
