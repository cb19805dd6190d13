/** Tensors of safetensors files, to the ranks piece by piece. @module */
import type { SafetensorsFile } from "../files/mod.ts";
import { elements, type TensorTable } from "../memory/mod.ts";
import { SchemoeError } from "../types.ts";
import type { Workspace } from "../engine.ts";
import { didYouMean, quoted } from "../words.ts";
import { writePiece } from "./transfer.ts";

/** Which tensors are loaded, and how. */
export interface LoadOptions {
  /** Names in the layer by names in the file; default: every tensor of the file under its own name. */
  readonly names?: Readonly<Record<string, string>>;
  /** Called after each piece. */
  readonly progress?: (state: LoadProgress) => void;
}

/** How far loading is. */
export interface LoadProgress {
  /** Name of the tensor that is being written. */
  readonly tensor: string;
  /** Values written so far. */
  readonly done: number;
  /** Values of all tensors. */
  readonly total: number;
}

/** Types of pairs and packed values. */
const UNFIT = new Set<string>(["C64", "F4", "F6_E2M3", "F6_E3M2"]);

/** Values that are converted at a time. */
const PIECE = 1 << 21;

/** @returns the names of the tensors that were written. */
export async function loadTensors(
  file: SafetensorsFile,
  { options, table, workspace, check }: {
    readonly options: LoadOptions;
    readonly table: TensorTable;
    readonly workspace: Workspace;
    readonly check: (name: string) => void;
  },
): Promise<string[]> {
  const fail: (problem: string) => never = (problem) => {
    throw new SchemoeError(`Cannot load ${file.path}: ${problem}`);
  };
  if (typeof file?.read !== "function") {
    throw new SchemoeError(
      `Cannot load ${quoted(file)}: it is no open file; give await openSafetensors(path)`,
    );
  }
  const unread = [...file.skipped].find(([source]) =>
    options.names ? Object.hasOwn(options.names, source) : table.has(source)
  );
  if (unread) {
    fail(`its tensor "${unread[0]}" is of the type ${unread[1].dtype}, which is not known`);
  }
  const pairs = Object.entries(
    options.names ?? Object.fromEntries([...file.tensors.keys()].map((name) => [name, name])),
  );
  let total = 0;
  for (const [source, name] of pairs) {
    const found = file.tensors.get(source) ??
      fail(`it has no tensor "${source}"${didYouMean(source, file.tensors.keys())}`);
    check(name);
    const { shape } = table.get(name);
    if (UNFIT.has(found.dtype)) {
      fail(`its tensor "${source}" is ${found.dtype}, which holds no real numbers one by one`);
    }
    if (found.shape.join() !== shape.join()) {
      fail(
        `its tensor "${source}" is [${found.shape.join(", ")}], "${name}" is [${shape.join(", ")}]`,
      );
    }
    total += elements(shape);
  }
  let done = 0;
  for (const [source, name] of pairs) {
    await workspace.ensureAsync({ [name]: table.localBytes(name) });
    const count = elements(table.get(name).shape);
    for (let begin = 0; begin < count; begin += PIECE) {
      const end = Math.min(count, begin + PIECE);
      const values = await file.read(source, { begin, end });
      await writePiece({ workspace, table, name }, begin, floats(values));
      options.progress?.({ tensor: name, done: done += end - begin, total });
    }
  }
  return pairs.map(([, name]) => name);
}

/** Numbers of any type as floats. */
function floats(values: ArrayLike<number> | ArrayLike<bigint> | ArrayLike<boolean>): Float32Array {
  if (values instanceof Float32Array) return values;
  const result = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = Number(values[i]);
  return result;
}
