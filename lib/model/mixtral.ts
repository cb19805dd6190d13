/** Weights in the layout of Mixtral, as Hugging Face's transformers writes them. @module */
import { basename, dirname, join } from "node:path";
import { parseJson } from "../files/json.ts";
import { type Dtype, openSafetensors, type SafetensorsFile } from "../files/mod.ts";
import { SchemoeError } from "../types.ts";
import type { MoeModel } from "./model.ts";

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
 * Loads weights under the names of `MixtralForCausalLM`, of any float type, from one safetensors file, the parts of
 * one, or the index of the parts beside it (`model.safetensors.index.json`). The model has the sizes of
 * `mixtralConfig`.
 *
 * @throws {SchemoeError} when a tensor is missing, of another shape or none of the model; nothing is changed then.
 */
export async function loadMixtral(
  model: MoeModel,
  paths: string | URL | readonly (string | URL)[],
): Promise<void> {
  const files: SafetensorsFile[] = [];
  try {
    const given: readonly (string | URL)[] = Array.isArray(paths) ? paths : [paths];
    for (const path of (await Promise.all(given.map(partsOf))).flat()) {
      files.push(await openSafetensors(path));
    }
    const list = sources(model);
    for (const source of list) check(model, source, files);
    checkForeign(list, files);
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
    const found = holding(files, name)?.tensors.get(name) ?? fail(`there is no tensor "${name}"`);
    if (found.shape.join() !== expected.join()) {
      fail(`"${name}" is [${found.shape.join(", ")}], not [${expected.join(", ")}]`);
    }
    if (!FLOATS.includes(found.dtype)) fail(`"${name}" is ${found.dtype}, which is no float type`);
  }
}

const FLOATS: readonly Dtype[] = ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"];

/** What files may hold beside the weights: tables of rotary positions, and the head where it is the embedding. */
const BESIDE = /(^lm_head\.weight|\.rotary_emb\.inv_freq)$/;

/** Refuses what the model would leave out: biases, further layers or experts, of which its loss would know nothing. */
function checkForeign(list: readonly Source[], files: readonly SafetensorsFile[]): void {
  const known = new Set(list.flatMap(({ names }) => names));
  for (const { path, tensors, skipped } of files) {
    for (const name of [...tensors.keys(), ...skipped.keys()]) {
      if (known.has(name) || BESIDE.test(name)) continue;
      throw new SchemoeError(
        `Cannot load the weights of Mixtral from ${path}: its tensor "${name}" is none of the model`,
      );
    }
  }
}

/** The files that an index names, or the one file. */
async function partsOf(path: string | URL): Promise<(string | URL)[]> {
  if (!`${path}`.endsWith(".json")) return [path];
  const fail = (problem: string, cause?: unknown): never => {
    throw new SchemoeError(`Cannot read the index ${path}: ${problem}`, { cause });
  };
  const text = await Deno.readTextFile(path)
    .catch((cause: Error) => fail(cause.message, cause));
  let map: unknown;
  try {
    map = Object(parseJson(text)).weight_map;
  } catch (cause) {
    fail((cause as Error).message, cause);
  }
  const names = typeof map === "object" && map !== null ? Object.values(map) : [];
  if (names.length === 0 || !names.every((name) => typeof name === "string")) {
    fail('it has no "weight_map" of tensors to files');
  }
  const place = path instanceof URL ? decodeURIComponent(path.pathname) : path;
  return [...new Set(names as string[])].map((name) => join(dirname(place), basename(name)));
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
