/**
 * Finds and opens the native library: on first use, never on import, once for each path.
 * @module
 */
import { ABI_VERSION } from "../program/pack.ts";
import { SchemoeError } from "../types.ts";
import { FailureRecord } from "./failure.ts";
import { symbols, versionSymbol } from "./symbols.ts";

/** The functions of an open library. */
export type NativeSymbols = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** Description of a library by itself: see `schemoe_describe`. */
export interface Description {
  readonly abi: number;
  readonly structs: Readonly<
    Record<string, { readonly size: number; readonly members: Readonly<Record<string, number>> }>
  >;
  /** Numbers of enums by their names in `schemoe.h`. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly kernels: Readonly<Record<string, { readonly code: number; readonly args: string }>>;
  readonly codecs: Readonly<
    Record<
      string,
      {
        readonly least: number;
        readonly most: number;
        readonly random: boolean;
      }
    >
  >;
  readonly features: { readonly cuda: boolean; readonly nvtx: boolean; readonly blas: string };
}

const BUILD = (path: string) =>
  `build it with: deno task native${path.includes("/build/cuda/") ? " --cuda" : ""}`;
/** Presets of the build that have an engine, the one to prefer first. */
const PRESETS: Readonly<Record<EngineKind, readonly string[]>> = {
  cpu: ["cpu", "cuda"],
  cuda: ["cuda"],
};

/** An engine of the native library. */
export type EngineKind = "cpu" | "cuda";

const opened = new Map<string, NativeSymbols>();

/**
 * The functions of the library at a path, by default `SCHEMOE_LIBRARY` of the environment or else
 * what was built below `native/build`. It stays open until the process ends.
 *
 * @throws {SchemoeError} when it is missing, cannot be loaded or has another version.
 */
export function openLibrary(path: string = libraryPath("cpu")): NativeSymbols {
  let library = opened.get(path);
  if (!library) {
    checkVersion(path);
    library = load(path, symbols).symbols;
    opened.set(path, library);
  }
  return library;
}

/** Where the library with an engine is, or would be if it had been built. */
export function libraryPath(kind: EngineKind): string {
  const variable = "SCHEMOE_LIBRARY";
  // Asking for a variable that may not be read would prompt, or throw.
  if (Deno.permissions.querySync({ name: "env", variable }).state === "granted") {
    const path = Deno.env.get(variable);
    if (path) return path;
  }
  if (import.meta.dirname === undefined) {
    throw new SchemoeError(
      `Cannot find the native library: this module is not in a local folder, name the library in ${variable}`,
    );
  }
  const suffix = { windows: "schemoe.dll", darwin: "libschemoe.dylib" }[Deno.build.os as string] ??
    "libschemoe.so";
  const root = `${import.meta.dirname}/../../native/build`;
  const paths = PRESETS[kind].map((preset) => `${root}/${preset}/${suffix}`);
  return paths.find(exists) ?? paths[0];
}

/** Description of a library by itself. */
export function describeLibrary(library: NativeSymbols = openLibrary()): Description {
  const text = new Uint8Array(1 << 16);
  const failure = new FailureRecord();
  failure.unwrap(
    library.schemoe_describe(text, BigInt(text.byteLength), failure.bytes),
  );
  return JSON.parse(new TextDecoder().decode(text.subarray(0, text.indexOf(0))));
}

/** Name of the kernels that the matrix library has for this processor, such as `SkylakeX`; its bits are theirs. */
export function blasCore(library: NativeSymbols = openLibrary()): string {
  const { blas } = describeLibrary(library).features;
  return /(\S+)(?= MAX_THREADS)/.exec(blas)?.[1] ?? blas;
}

function checkVersion(path: string): void {
  if (!exists(path)) {
    throw new SchemoeError(`Cannot open the native library: there is no ${path}; ${BUILD(path)}`);
  }
  // Alone and first: a library of another version may lack the other entries.
  const library = load(path, versionSymbol);
  const version = library.symbols.schemoe_abi_version();
  library.close();
  if (version !== ABI_VERSION) {
    throw new SchemoeError(
      `Cannot use the native library ${path}: it has version ${version}, version ${ABI_VERSION} is needed; ${
        BUILD(path)
      }`,
    );
  }
}

function load<T extends Deno.ForeignLibraryInterface>(
  path: string,
  table: T,
): Deno.DynamicLibrary<T> {
  try {
    return Deno.dlopen(path, table);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new SchemoeError(`Cannot open the native library ${path}: ${text}; ${BUILD(path)}`, {
      cause,
    });
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    return false;
  }
}
