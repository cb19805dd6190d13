/** The contents of a checkpoint. @module */
import {
  checkSums,
  type Dtype,
  openSafetensors,
  type SafetensorsFile,
  type TensorSource,
  writeSummed,
} from "../files/mod.ts";
import type { TensorStore } from "../layer/store.ts";
import { elements, type TensorTable, type TensorType } from "../memory/mod.ts";
import { SchemoeError } from "../types.ts";
import { didYouMean } from "../words.ts";
import { LOST } from "./tensors.ts";

/** The `format` in the file's metadata. */
const CHECKPOINT = "schemoe checkpoint 1";

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

/** What a checkpoint says besides its tensors. */
interface CheckpointAbout {
  readonly step: number;
  readonly optimizer: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether a value that is not finite is an error. */
  readonly finite?: boolean;
}

/** Writes parameters and states; the file is replaced as a whole. */
export async function saveCheckpoint(
  store: TensorStore,
  path: string | URL,
  { step, optimizer, metadata, finite = false }: CheckpointAbout,
): Promise<void> {
  await writeSummed(checkpointTensors(store, finite), path, {
    ...metadata,
    format: CHECKPOINT,
    step: String(step),
    ranks: String(store.table.ranks),
    optimizer,
  });
}

/**
 * Reads parameters and states; the number of steps done.
 * @throws {SchemoeError} where the file is no checkpoint of such a model, or damaged; nothing is changed then.
 */
export async function loadCheckpoint(
  store: TensorStore,
  path: string | URL,
  optimizer: string,
): Promise<number> {
  using file = await openSafetensors(path);
  const { table } = store;
  const { step, names, zero } = checkedCheckpoint(file, table, optimizer);
  await checkSums(file);
  await store.ready();
  await store.load(file, { names: Object.fromEntries(names.map((name) => [name, name])) });
  for (const name of zero) store.write(name, new Float32Array(elements(table.get(name).shape)));
  return step;
}

/** Parameters and states by name, each read when it is written. */
function checkpointTensors(
  store: TensorStore,
  finite: boolean,
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

/** What of a checkpoint a model takes. */
interface CheckedCheckpoint {
  /** Steps done. */
  readonly step: number;
  /** Tensors to load. */
  readonly names: readonly string[];
  /** Tensors that begin at 0: what codecs of gradients lost on another number of ranks. */
  readonly zero: readonly string[];
}

/** Whether a state is of one number of ranks: what a codec of gradients lost, which is added to the next step's. */
const ofRanks = (name: string): boolean => name.startsWith(LOST);

/**
 * Checks a checkpoint before anything of it is loaded.
 * @throws {SchemoeError} unless it has exactly the tensors of the model, and was made with its optimizer.
 */
function checkedCheckpoint(
  file: SafetensorsFile,
  table: TensorTable,
  optimizer: string,
): CheckedCheckpoint {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot load ${file.path}: ${problem}`);
  };
  const { format, step, ranks } = file.metadata;
  if (format !== CHECKPOINT) fail("it is no checkpoint of a model");
  if (!/^\d+$/.test(step) || !Number.isSafeInteger(Number(step))) {
    fail(`its step is "${step}", not a number`);
  }
  if (file.metadata.optimizer !== optimizer) {
    fail(`it was made with the optimizer ${file.metadata.optimizer}, the model has ${optimizer}`);
  }
  const all = table.names("parameter", "state");
  const resharded = ranks !== undefined && ranks !== String(table.ranks);
  const taken = (name: string) => !(resharded && ofRanks(name));
  const names = all.filter(taken);
  const missing = names.find((name) => !file.tensors.has(name));
  if (missing) fail(`it has no tensor "${missing}"`);
  const foreign = [...file.tensors.keys()].filter(taken).find((name) => !names.includes(name));
  if (foreign) fail(`its tensor "${foreign}" is none of the model${didYouMean(foreign, names)}`);
  for (const name of names) {
    const [expected, { dtype }] = [DTYPE[table.get(name).dtype], file.tensors.get(name)!];
    if (dtype !== expected) fail(`its tensor "${name}" is ${dtype}, the model's is ${expected}`);
  }
  return { step: Number(step), names, zero: all.filter((name) => !taken(name)) };
}
