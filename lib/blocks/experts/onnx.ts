/** Experts given as ONNX models. @module */
import { checkFields } from "../../arguments/mod.ts";
import type { Expert } from "./types.ts";
import { type HostContext, SchemoeError } from "../../types.ts";
import type { Matrix } from "../../kernels/types.ts";
import { readModel } from "./onnx_file.ts";
import { type OnnxModel, openModel } from "./onnx_model.ts";
import { readRows, rowsOfGroup, writeRows } from "../../kernels/mod.ts";
import { loadOnnxRuntime, type OnnxRuntime } from "./onnx_runtime.ts";
import { quoted } from "../../words.ts";

/** Options of {@linkcode onnx}. */
export interface OnnxOptions {
  /** Floating-point operations for one row; default: two for each four bytes of the model and its weights. */
  readonly flops?: number;
}

/** An expert that runs models; `close` it when it is not needed any more. */
export interface OnnxExpert extends Expert {
  /** Frees the models; closing twice does nothing. */
  close(): Promise<void>;
  /** Closes it at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Experts from ONNX models, one for each expert of the layer in their order: paths, URLs of files, or
 * the bytes of models. Each takes one float32 matrix [n, modelDim] and gives one, for any n. Weights in
 * files of their own lie in the folder of their model, whatever the working directory; a model that names
 * a file outside of it is refused.
 *
 * **Forward only**: backward of such a layer is an error. The models run in this process by
 * onnxruntime-node (fetched at the first call, 290 MB), one session and one thread for each, called by
 * `host` kernels: the lane that needs an expert waits for it while all other lanes go on, but two
 * experts never run at the same time. They hold their own parameters, so the layer has none of theirs.
 *
 * ```ts ignore
 * import { createLayer, onnx, openEngine } from "@schemoe/lab";
 * const expert = await onnx(["expert-0.onnx", "expert-1.onnx"]);
 * const engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 2, expert });
 * const { output } = await layer.forward({ chunks: 2, scheduler: "optSche" });
 * await expert.close();
 * ```
 * @throws {SchemoeError} naming the model that is missing, is none, or has another input or output;
 * `createLayer` throws when their number or width is not that of the layer.
 */
export async function onnx(
  models: readonly (string | URL | Uint8Array)[],
  options: OnnxOptions = {},
): Promise<OnnxExpert> {
  checkFields(options, ["flops"], { what: "options", fail });
  const { flops } = options;
  if (flops !== undefined && !(typeof flops === "number" && flops >= 0 && flops < Infinity)) {
    fail(`flops is ${quoted(flops)}, not a number of at least 0`);
  }
  if (!Array.isArray(models) || models.length === 0) {
    fail("give an array with a model for each expert");
  }
  const files = await Promise.all(models.map(readModel));
  const runtime = await loadOnnxRuntime();
  const opened: OnnxModel[] = [];
  try {
    for (const file of files) opened.push(await openModel(runtime, file));
    oneWidth(opened);
  } catch (error) {
    for (const { session } of opened) await session.release();
    throw error;
  }
  return expertOf(runtime, opened, flops);
}

function oneWidth(models: readonly OnnxModel[]): void {
  const first = models.find(({ columns }) => columns !== undefined);
  const odd = models.find(({ columns }) => columns !== undefined && columns !== first?.columns);
  if (odd) fail(`${odd.name} takes ${odd.columns} columns, ${first!.name} takes ${first!.columns}`);
}

function expertOf(runtime: OnnxRuntime, models: readonly OnnxModel[], flops?: number): OnnxExpert {
  const name = `onnx(${models.length} models)`;
  const mean = models.reduce((sum, { bytes }) => sum + bytes, 0) / models.length;
  const forward = flops ?? mean / 2;
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    for (const { session } of models) await session.release();
  };
  return {
    name,
    check({ modelDim, experts, dtype = "float32" }) {
      if (dtype !== "float32") fail(`the layer has dtype ${dtype}, models take float32`);
      if (experts !== models.length) {
        fail(
          `the layer has ${experts} experts, there are ${models.length} models; give one for each`,
        );
      }
      const odd = models.find(({ columns }) => (columns ?? modelDim) !== modelDim);
      if (odd) fail(`the layer has modelDim ${modelDim}, ${odd.name} takes ${odd.columns} columns`);
    },
    parameters: () => [],
    saved: () => [],
    forward: ({ x, y, experts, firstExpert, host }) => [
      host(async (at) => {
        if (closed) throw new SchemoeError(`Cannot run the expert "${name}": it is closed`);
        for (let group = 0; group < experts; group++) {
          await runModel(runtime, models[firstExpert + group], { at, x, y, group });
        }
      }),
    ],
    flops: () => ({ forward, inputGrad: 0, weightGrad: 0 }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Runs a model on the rows of one local expert. */
async function runModel(
  { Tensor }: OnnxRuntime,
  model: OnnxModel,
  { at, x, y, group }: { at: HostContext; x: Matrix; y: Matrix; group: number },
): Promise<void> {
  const rows = rowsOfGroup(x, group);
  // Not every model takes a matrix without rows.
  if (rows === 0) return;
  const input = new Tensor("float32", readRows(at, x, group), [rows, x.columns]);
  const { [model.output]: output } = await model.session.run({ [model.input]: input }, [
    model.output,
  ]);
  const { data, dims } = output;
  if (!(data instanceof Float32Array) || dims.join() !== `${rows},${y.columns}`) {
    throw new SchemoeError(
      `${model.name} gave a result of shape [${
        dims.join(", ")
      }] for rows of shape [${rows}, ${x.columns}]`,
    );
  }
  writeRows(at, y, group, data);
}

function fail(problem: string): never {
  throw new SchemoeError(`Cannot make the experts from ONNX models: ${problem}`);
}
