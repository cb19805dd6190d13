/**
 * ONNX Runtime, loaded when the first model is: 290 MB that only those who use it fetch.
 * @module
 */
import { SchemoeError } from "../../types.ts";

/** A float32 tensor of ONNX Runtime. */
export interface OnnxTensor {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** Description of one of a model's inputs or outputs. */
export interface OnnxValue {
  readonly name: string;
  readonly isTensor: boolean;
  /** `float32`, ... */
  readonly type?: string;
  /** A number, or the name of a size that may change from run to run. */
  readonly shape?: readonly (number | string)[];
}

/** A loaded model. */
export interface OnnxSession {
  readonly inputMetadata: readonly OnnxValue[];
  readonly outputMetadata: readonly OnnxValue[];
  run(
    feeds: Readonly<Record<string, OnnxTensor>>,
    fetches: readonly string[],
  ): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

/** The part of onnxruntime-node that experts need. */
export interface OnnxRuntime {
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OnnxTensor;
  readonly InferenceSession: {
    create(model: Uint8Array | string, options: Record<string, unknown>): Promise<OnnxSession>;
  };
}

/**
 * Not in deno.json, and hidden from static analysis: what is listed there or in deno.lock is fetched
 * by every task, and this is ten times all the rest.
 */
const PACKAGE = "npm:onnxruntime-node@1.30.0";

/** @throws {SchemoeError} when the package cannot be fetched or does not run here. */
export async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  const name: string = PACKAGE;
  try {
    const { default: runtime } = await import(name);
    return runtime;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(
      `Cannot load ${PACKAGE}: ${text}; fetch it once with a network: deno cache ${PACKAGE}`,
      { cause },
    );
  }
}
