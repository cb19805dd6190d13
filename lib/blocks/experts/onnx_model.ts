/**
 * One expert as an ONNX model: opened, and its input and output checked.
 * @module
 */
import { SchemoeError } from "../../types.ts";
import type { OnnxFile } from "./onnx_file.ts";
import type { OnnxRuntime, OnnxSession, OnnxValue } from "./onnx_runtime.ts";

/** A model of one expert that may run. */
export interface OnnxModel {
  /** What errors call it. */
  readonly name: string;
  readonly session: OnnxSession;
  readonly input: string;
  readonly output: string;
  /** Columns of input and output; undefined where the model leaves them open. */
  readonly columns: number | undefined;
  readonly bytes: number;
}

/** Opens a model with one thread of its own: it is lanes that run beside each other. */
export async function openModel(
  runtime: OnnxRuntime,
  { name, source, bytes }: OnnxFile,
): Promise<OnnxModel> {
  let session: OnnxSession;
  try {
    session = await runtime.InferenceSession.create(source, {
      executionMode: "sequential",
      executionProviders: ["cpu"],
      interOpNumThreads: 1,
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
    });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(
      `Cannot use ${name} as an expert: it is not an ONNX model that runs here: ${text}`,
      { cause },
    );
  }
  try {
    const input = only(name, "input", session.inputMetadata);
    const output = only(name, "output", session.outputMetadata);
    const columns = sameWidth(name, width(name, "input", input), width(name, "output", output));
    return { name, session, columns, bytes, input: input.name, output: output.name };
  } catch (error) {
    await session.release();
    throw error;
  }
}

function only(model: string, what: string, values: readonly OnnxValue[]): OnnxValue {
  if (values.length === 1) return values[0];
  const names = values.map(({ name }) => name).join(", ") || "none";
  return fail(model, `it has ${values.length} ${what}s (${names}), an expert has one`);
}

/** Columns of an [n, columns] float32 tensor with any number of rows. */
function width(model: string, what: string, value: OnnxValue): number | undefined {
  const { name, isTensor, type, shape = [] } = value;
  const found = `its ${what} "${name}" is ${type ?? "not a tensor"} [${shape.join(", ")}]`;
  if (!isTensor || type !== "float32") fail(model, `${found}, float32 is needed`);
  if (shape.length !== 2) fail(model, `${found}, a matrix [n, modelDim] is needed`);
  const [rows, columns] = shape;
  if (typeof rows === "number" && rows >= 0) {
    fail(model, `${found}, its rows must be free: export it with a dynamic first axis`);
  }
  return typeof columns === "number" && columns >= 0 ? columns : undefined;
}

function sameWidth(model: string, input?: number, output?: number): number | undefined {
  if (input === undefined || output === undefined || input === output) return input ?? output;
  return fail(model, `it takes ${input} columns and gives ${output}, both are the modelDim`);
}

function fail(model: string, problem: string): never {
  throw new SchemoeError(`Cannot use ${model} as an expert: ${problem}`);
}
