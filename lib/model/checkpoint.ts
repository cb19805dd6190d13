/** The contents of a checkpoint. @module */
import type { Dtype, SafetensorsFile, TensorSource } from "../files/mod.ts";
import type { TensorStore } from "../layer/store.ts";
import type { TensorTable, TensorType } from "../memory/mod.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean } from "../words.ts";

/** The `format` in the file's metadata. */
export const CHECKPOINT = "schemoe checkpoint 1";

/** A value of a model is none that a run could go on from. */
export class NotFiniteError extends SchemoeError {
  constructor(readonly tensor: string, readonly value: number) {
    super(`Cannot save the model: a value of "${tensor}" is ${value}`);
  }
}

/** Types of a checkpoint's tensors by those of the model's. */
const DTYPE: Readonly<Record<TensorType, Dtype>> = {
  float32: "F32",
  bfloat16: "BF16",
  int32: "I32",
};

/**
 * Parameters and states by name, each read when it is written.
 * @param options.finite whether a value that is not finite is an error.
 */
export function checkpointTensors(
  store: TensorStore,
  { finite = false }: { readonly finite?: boolean } = {},
): Record<string, TensorSource> {
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
      dtype: DTYPE[table.get(name).dtype],
      shape: table.get(name).shape,
      read: async ({ begin, end }) => {
        const values = (await valuesOf(name)).subarray(begin, end) as Float32Array<ArrayBuffer>;
        const wrong = finite ? values.findIndex((value) => !Number.isFinite(value)) : -1;
        if (wrong >= 0) throw new NotFiniteError(name, values[wrong]);
        return values;
      },
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
  if (!/^\d+$/.test(step) || !Number.isSafeInteger(Number(step))) {
    fail(`its step is "${step}", not a number`);
  }
  if (file.metadata.optimizer !== optimizer) {
    fail(`it was made with the optimizer ${file.metadata.optimizer}, the model has ${optimizer}`);
  }
  const names = table.names("parameter", "state");
  const missing = names.find((name) => !file.tensors.has(name));
  if (missing) fail(`it has no tensor "${missing}"`);
  const foreign = [...file.tensors.keys()].find((name) => !names.includes(name));
  if (foreign) fail(`its tensor "${foreign}" is none of the model${didYouMean(foreign, names)}`);
  for (const name of names) {
    const [expected, { dtype }] = [DTYPE[table.get(name).dtype], file.tensors.get(name)!];
    if (dtype !== expected) fail(`its tensor "${name}" is ${dtype}, the model's is ${expected}`);
  }
  return Number(step);
}
