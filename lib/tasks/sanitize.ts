/**
 * All native tests of the CPU engine under sanitizers. A report of a sanitizer is a failure.
 *
 * usage: deno task sanitize [PRESET...]   (default: asan tsan; asan has UBSan with it)
 * @module
 */
import { quiet, root, task, taskArguments } from "./build/command.ts";
import { type Counts, sum, summary, tell } from "./build/counts.ts";
import { ctest } from "./build/ctest.ts";
import { ensurePackages } from "./build/packages.ts";
import { SchemoeError } from "../types.ts";

const PRESETS = ["asan", "tsan"];
const source = `${root}/native`;

await task(async () => {
  const args = taskArguments("usage: deno task sanitize [asan] [tsan]");
  const foreign = args.find((preset) => !PRESETS.includes(preset));
  if (foreign) {
    throw new SchemoeError(`Unknown preset "${foreign}": choose from ${PRESETS.join(", ")}`);
  }
  await ensurePackages({
    "cmake": ["cmake", "--version"],
    "make": ["make", "--version"],
    "g++": ["c++", "--version"],
    "libopenblas-dev": ["c++", "-E", "-x", "c++", "-include", "cblas.h", "/dev/null"],
  });
  const suites: Counts[] = [];
  for (const preset of args.length ? args : PRESETS) {
    console.log(`== ${preset}`);
    suites.push(await sanitized(preset));
    await tell(suites.at(-1)!);
  }
  const all = sum(suites);
  console.log(summary(all));
  return all.failed > 0 || all.passed === 0 ? 1 : 0;
});

/** Builds and runs the tests with a preset. */
async function sanitized(preset: string): Promise<Counts> {
  const build = `${source}/build/${preset}`;
  await quiet(["cmake", "--preset", preset], { cwd: source });
  const jobs = `${navigator.hardwareConcurrency}`;
  await quiet(["cmake", "--build", build, "--parallel", jobs]);
  return await ctest(preset, {
    env: {
      UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
      ASAN_OPTIONS: "detect_leaks=1",
    },
  });
}
