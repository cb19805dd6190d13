/** The contents of a checkpoint. @module */
import type { SafetensorsFile, TensorSource } from "../files/mod.ts";
import type { TensorStore } from "../layer/store.ts";
import type { TensorTable } from "../memory/mod.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean } from "../words.ts";

/** The `format` in the file's metadata. */
export const CHECKPOINT = "schemoe checkpoint 1";

/** Parameters and states by name, each read when it is written. */
export function checkpointTensors(store: TensorStore): Record<string, TensorSource> {
  const { table } = store;
  /** The tensor being written: pieces of one come after another. */
  let last: { readonly name: string; readonly values: Promise<Float32Array> } | undefined;
  const valuesOf = (name: string) => {
    if (last?.name !== name) {
      last = { name, values: store.readAsync(name) as Promise<Float32Array> };
    }
    return last.values;
  };
  return Object.fromEntries(
    table.names("parameter", "state").map((name) => [name, {
      dtype: table.get(name).dtype === "bfloat16" ? "BF16" : "F32",
      shape: table.get(name).shape,
      read: async ({ begin, end }) =>
        (await valuesOf(name)).subarray(begin, end) as Float32Array<ArrayBuffer>,
    }]),
  );
}

/**
 * Number of steps in a checkpoint.
 * @throws {SchemoeError} unless it has exactly the tensors of the model, and was made with its optimizer.
 */
export function checkedStep(file: SafetensorsFile, table: TensorTable, optimizer: string): number {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot load ${file.path}: ${problem}`);
  };
  const { format, step } = file.metadata;
  if (format !== CHECKPOINT) fail("it is no checkpoint of a model");
  if (!/^\d+$/.test(step)) fail(`its step is "${step}", not a number`);
  if (file.metadata.optimizer !== optimizer) {
    fail(`it was made with the optimizer ${file.metadata.optimizer}, the model has ${optimizer}`);
  }
  const names = table.names("parameter", "state");
  const missing = names.find((name) => !file.tensors.has(name));
  if (missing) fail(`it has no tensor "${missing}"`);
  const foreign = [...file.tensors.keys()].find((name) => !names.includes(name));
  if (foreign) fail(`its tensor "${foreign}" is none of the model${didYouMean(foreign, names)}`);
  return Number(step);
}
