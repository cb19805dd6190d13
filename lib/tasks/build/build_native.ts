import { quiet, root, succeeds, watched } from "./command.ts";
import { ensurePackages } from "./packages.ts";
import { tellProgress } from "./progress.ts";

const source = `${root}/native`;
const build = `${source}/build/cpu`;
const cudaBuild = `${source}/build/cuda`;

/**
 * Configures and builds the native library into `native/build/cpu`; nearly nothing when it is up
 * to date. Prints what it installs, and while it compiles how long that usually takes and how far it is.
 * @throws {SchemoeError} naming missing packages, or with the output of CMake and the compiler
 */
export async function buildNative(): Promise<void> {
  await Deno.mkdir(`${source}/build`, { recursive: true });
  using lock = await Deno.open(`${source}/build/.lock`, { create: true, write: true });
  await lock.lock(true); // two tasks may start at once
  if (!await configured()) {
    await ensurePackages({
      "cmake": ["cmake", "--version"],
      "make": ["make", "--version"],
      "g++": ["c++", "--version"],
      // The oracle of a test, which others can do without.
      ...(Deno.env.get("CI")
        ? { "libzfp-dev": ["c++", "-E", "-x", "c++", "-include", "zfp.h", "/dev/null"] }
        : {}),
      "libopenblas-dev": ["c++", "-E", "-x", "c++", "-include", "cblas.h", "/dev/null"],
    });
    await quiet(["cmake", "--preset", "cpu"], { cwd: source });
  }
  await compile(build, {
    what: "the native library",
    usually: "about 100 s on two cores, once",
  });
}

/** Builds a configured folder, telling progress on standard error. */
async function compile(
  folder: string,
  about: { readonly what: string; readonly usually: string },
): Promise<void> {
  const progress = tellProgress({
    ...about,
    terminal: Deno.stderr.isTerminal(),
    write: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
  });
  const parallel = ["--parallel", `${navigator.hardwareConcurrency}`];
  await watched(["cmake", "--build", folder, ...parallel], progress.line);
  progress.end();
}

/**
 * Configures and builds the library with the CUDA engine into `native/build/cuda`, with its tests;
 * needs nvcc and no GPU.
 * @throws {SchemoeError} with the output of CMake and the compiler
 */
export async function buildCuda(): Promise<void> {
  await buildNative(); // sees to the packages that both need
  await quiet(["cmake", "--preset", "cuda"], { cwd: source });
  await compile(cudaBuild, {
    what: "the native library with the CUDA engine",
    usually: "several minutes on two cores, once",
  });
}

/** Whether CUDA sources can be compiled here. */
export const canCompileCuda = (): Promise<boolean> =>
  succeeds([Deno.env.get("CUDACXX") ?? "nvcc", "--version"]);

/** True when `build` was configured, to its end, for this very directory. */
async function configured(): Promise<boolean> {
  try {
    await Deno.stat(`${build}/cmake_install.cmake`); // written when configuring succeeds
    const cache = await Deno.readTextFile(`${build}/CMakeCache.txt`);
    if (cache.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${source}\n`)) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.remove(build, { recursive: true }).catch(() => {});
  return false;
}
