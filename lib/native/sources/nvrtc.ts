/** CUDA to machine code by NVRTC, which is found at run time. @module */
import { SchemoeError, type SourceCode } from "../../types.ts";
import { inPythonPackages } from "../python_packages.ts";
import { variable } from "../variable.ts";
import { failCompile } from "./compiler.ts";
import { fileOf, textOf } from "./text.ts";

const symbols = {
  // nvrtcResult nvrtcVersion(int* major, int* minor)
  nvrtcVersion: { parameters: ["buffer", "buffer"], result: "i32" },
  // nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char* name, int headers, const char* const* texts, const char* const* names)
  nvrtcCreateProgram: {
    parameters: ["buffer", "buffer", "buffer", "i32", "pointer", "pointer"],
    result: "i32",
  },
  // nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int options, const char* const* list)
  nvrtcCompileProgram: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
  // nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t* bytes)
  nvrtcGetProgramLogSize: { parameters: ["pointer", "buffer"], result: "i32" },
  // nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* text)
  nvrtcGetProgramLog: { parameters: ["pointer", "buffer"], result: "i32" },
  // nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t* bytes)
  nvrtcGetCUBINSize: { parameters: ["pointer", "buffer"], result: "i32" },
  // nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* image)
  nvrtcGetCUBIN: { parameters: ["pointer", "buffer"], result: "i32" },
  // nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program)
  nvrtcDestroyProgram: { parameters: ["buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** An open NVRTC. */
export interface Nvrtc {
  readonly path: string;
  readonly version: string;
  readonly calls: Deno.DynamicLibrary<typeof symbols>["symbols"];
}

const NAMES = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"];
const IN_PACKAGES = ["nvidia/cu13/lib/libnvrtc.so.13", "nvidia/cuda_nvrtc/lib/libnvrtc.so.12"];
const IN_TOOLKIT = "/usr/local/cuda/lib64/libnvrtc.so";
const HEADERS = "/usr/local/cuda/include";

let opened: Nvrtc | null | undefined;

/**
 * The library at `SCHEMOE_NVRTC` of the environment, or that which the loader finds, the toolkit has, or a package of
 * Python; undefined where there is none.
 *
 * @throws {SchemoeError} for a path that was given and cannot be opened.
 */
export function findNvrtc(): Nvrtc | undefined {
  if (opened !== undefined) return opened ?? undefined;
  const given = variable("SCHEMOE_NVRTC");
  const paths = given ? [given] : [...NAMES, IN_TOOLKIT, ...IN_PACKAGES.flatMap(inPythonPackages)];
  for (const path of paths) {
    try {
      loadBuiltins(path);
      const calls = Deno.dlopen(path, symbols).symbols;
      const [major, minor] = [new Int32Array(1), new Int32Array(1)];
      calls.nvrtcVersion(major, minor);
      return opened = { path, version: `${major[0]}.${minor[0]}`, calls };
    } catch (cause) {
      if (!given) continue;
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new SchemoeError(`Cannot open NVRTC at SCHEMOE_NVRTC: ${text}`, { cause });
    }
  }
  opened = null;
  return undefined;
}

/** What NVRTC loads by name, which the loader finds only where it has been loaded from the folder before. */
function loadBuiltins(path: string): void {
  const folder = path.slice(0, path.lastIndexOf("/"));
  if (folder === "") return;
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.startsWith("libnvrtc-builtins.so.")) Deno.dlopen(`${folder}/${name}`, {});
  }
}

const text = (value: string) => new TextEncoder().encode(`${value}\0`);

/** Room for texts, beyond what V8 keeps in its heap and moves about. */
const ROOM = 4096;

/** Pointers to zero-terminated texts that lie in one buffer, to be kept until they are no longer needed. */
function pointersTo(values: readonly string[]) {
  const texts = new Uint8Array(ROOM);
  const begin = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(texts)));
  const list = new BigUint64Array(values.length);
  let at = 0;
  for (const [i, value] of values.entries()) {
    list[i] = begin + BigInt(at);
    at += new TextEncoder().encodeInto(value, texts.subarray(at, ROOM - 1)).written + 1;
  }
  return { count: values.length, list, texts };
}

/** A use of a buffer, before which it is not freed. */
const keep = (buffer: Uint8Array): number => buffer[0];

/** Machine code for a GPU such as `sm_90`. @throws {SchemoeError} with NVRTC's messages. */
export function compileByNvrtc(
  { calls, path, version }: Nvrtc,
  code: SourceCode,
  architecture: string,
): Uint8Array<ArrayBuffer> {
  const check = (result: number, call: string) => {
    if (result === 0) return;
    throw new SchemoeError(
      `Cannot compile the source "${code.name}": ${call} of ${path} failed with error ${result}`,
    );
  };
  const [handle, size] = [new BigUint64Array(1), new BigUint64Array(1)];
  const [source, name] = [text(textOf(code, "cuda")), text(fileOf(code, "cuda"))];
  check(calls.nvrtcCreateProgram(handle, source, name, 0, null, null), "nvrtcCreateProgram");
  try {
    const program = Deno.UnsafePointer.create(handle[0]);
    const { count, list, texts } = pointersTo([
      `--gpu-architecture=${architecture}`,
      ...["--std=c++17", "--fmad=false", `-I${HEADERS}`],
    ]);
    const result = calls.nvrtcCompileProgram(program, count, list);
    keep(texts);
    if (result !== 0) {
      calls.nvrtcGetProgramLogSize(program, size);
      const log = new Uint8Array(Number(size[0]));
      calls.nvrtcGetProgramLog(program, log);
      const messages = new TextDecoder().decode(log).replaceAll("\0", "");
      failCompile({ code, language: "cuda", compiler: `NVRTC ${version}`, messages });
    }
    check(calls.nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize");
    const image = new Uint8Array(Number(size[0]));
    check(calls.nvrtcGetCUBIN(program, image), "nvrtcGetCUBIN");
    return image;
  } finally {
    calls.nvrtcDestroyProgram(handle);
  }
}
