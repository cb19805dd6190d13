/** C++ to a shared library, by a compiler that is found when it is needed. @module */
import { SchemoeError, type SourceCode } from "../../types.ts";
import { variable } from "../variable.ts";
import { cached, isFile } from "./cache.ts";
import { ENTRIES, fileOf, type Language, textOf } from "./text.ts";

/** Changes with the entries that a library must have. */
const INTERFACE = "1";
/** No fused multiply-add and no instructions that other machines lack: results do not depend on the machine. */
const OPTIONS = [
  "-std=c++20",
  "-O3",
  "-ffp-contract=off",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  // Nor does a C++ runtime that the compiler links into it mix with another one in the process.
  "-Wl,--exclude-libs,ALL",
];
/** Of a compiler's messages. */
const MOST_TEXT = 4000;

/** Path of the shared library of a source in C++, compiled where it is not there yet. */
export function compileCpp(code: SourceCode): string {
  const compiler = found("a C++ compiler", code, variable("CXX"), "g++", "clang++");
  const text = textOf(code, "cpu");
  return cached({
    parts: [INTERFACE, versionOf(compiler), ...OPTIONS, text],
    suffix: ".so",
    make: (path) => {
      const input = `${path}.cpp`;
      Deno.writeTextFileSync(input, text);
      try {
        const args = [...OPTIONS, "-fdiagnostics-color=never", "-o", path, input];
        run(compiler, args, { code, language: "cpu" });
      } finally {
        Deno.removeSync(input);
      }
    },
  });
}

/** Bytes of machine code for a GPU such as `sm_90`, by nvcc. */
export function compileByNvcc(code: SourceCode, architecture: string): Uint8Array<ArrayBuffer> {
  const compiler = found(
    "neither NVRTC (libnvrtc.so, or its path in SCHEMOE_NVRTC) nor nvcc",
    code,
    ...["nvcc", "/usr/local/cuda/bin/nvcc"],
  );
  const text = textOf(code, "cuda");
  const options = ["-std=c++17", "-fmad=false", `-arch=${architecture}`, "-cubin"];
  const path = cached({
    parts: [INTERFACE, versionOf(compiler), ...options, text],
    suffix: ".cubin",
    make: (path) => {
      const input = `${path}.cu`;
      Deno.writeTextFileSync(input, text);
      try {
        run(compiler, [...options, "-o", path, input], { code, language: "cuda" });
      } finally {
        Deno.removeSync(input);
      }
    },
  });
  return Deno.readFileSync(path);
}

/** The first of some programs that is a path of a file or on the path. */
function found(what: string, code: SourceCode, ...names: (string | undefined)[]): string {
  const folders = (variable("PATH") ?? "").split(":").filter((folder) => folder !== "");
  for (const name of names) {
    if (!name) continue;
    const paths = name.includes("/") ? [name] : folders.map((folder) => `${folder}/${name}`);
    const path = paths.find(isFile);
    if (path) return path;
  }
  const missing = what.startsWith("neither")
    ? `${what} was found`
    : `${what} was not found (${names.filter((name) => name).join(", ")})`;
  throw new SchemoeError(`Cannot compile the source "${code.name}": ${missing}; install one`);
}

const versions = new Map<string, string>();

function versionOf(compiler: string): string {
  let version = versions.get(compiler);
  if (version === undefined) {
    const { stdout } = new Deno.Command(compiler, { args: ["--version"], stderr: "null" })
      .outputSync();
    versions.set(compiler, version = `${compiler} ${new TextDecoder().decode(stdout)}`);
  }
  return version;
}

/** Runs a compiler. @throws {SchemoeError} its messages, whose lines are those of the user's source. */
function run(
  compiler: string,
  args: string[],
  of: { readonly code: SourceCode; readonly language: Language },
): void {
  const { success, stdout, stderr } = new Deno.Command(compiler, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  if (success) return;
  const decoder = new TextDecoder();
  failCompile({ ...of, compiler, messages: decoder.decode(stderr) + decoder.decode(stdout) });
}

/** @throws {SchemoeError} what a compiler said. */
export function failCompile(
  { code, language, compiler, messages }: {
    readonly code: SourceCode;
    readonly language: Language;
    readonly compiler: string;
    readonly messages: string;
  },
): never {
  const text = messages.trim().slice(0, MOST_TEXT);
  const missing = Object.keys(code.functions).filter((name) =>
    new RegExp(`['‘"]${name}['’"] (was not declared|is undefined)|identifier ['"]${name}['"]`).test(
      text,
    )
  );
  const functions = Object.entries(code.functions).map(([name, { buffers, numbers }]) =>
    `${name} with ${buffers} pointers and at most ${numbers} integers`
  );
  const hint = missing.length > 0
    ? `it has no function ${missing.join(", ")}; needed: ${functions.join(", ")}\n`
    : text.includes(ENTRIES)
    ? `its functions must be ${functions.join(", ")}\n`
    : "";
  const where = fileOf(code, language);
  throw new SchemoeError(
    `Cannot compile the source "${code.name}": ${hint}${compiler} says of ${where}:\n${text}`,
  );
}
