/** Configures and builds the native library; prints only when something is missing or fails. */
import { quiet, root, task } from "./command.ts";
import { ensurePackages } from "./packages.ts";

const source = `${root}/native`;
const build = `${source}/build/cpu`;

/** True when `build` was configured for this very directory. */
async function configured(): Promise<boolean> {
  try {
    const cache = await Deno.readTextFile(`${build}/CMakeCache.txt`);
    if (cache.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${source}\n`)) return true;
    await Deno.remove(build, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

await task(async () => {
  await Deno.mkdir(`${source}/build`, { recursive: true });
  using lock = await Deno.open(`${source}/build/.lock`, { create: true, write: true });
  await lock.lock(true); // two tasks may start at once
  if (!await configured()) {
    await ensurePackages({
      "cmake": ["cmake", "--version"],
      "make": ["make", "--version"],
      "g++": ["c++", "--version"],
      "libopenblas-dev": ["c++", "-E", "-x", "c++", "-include", "cblas.h", "/dev/null"],
    });
    await quiet(["cmake", "--preset", "cpu"], { cwd: source });
  }
  await quiet(["cmake", "--build", build, "--parallel", `${navigator.hardwareConcurrency}`]);
});
