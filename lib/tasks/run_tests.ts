/**
 * All tests, of TypeScript and of the native library; ends with what was skipped and `N passed, M failed`. Arguments
 * are passed to `deno test`, and then only that runs. Set-up that fails counts as a failure and
 * does not keep the other tests from running. In CI (`CI=true`), or with `SCHEMOE_BUILD_CUDA` set,
 * the CUDA engine is compiled where there is nvcc; its tests run where there is a GPU, too.
 */
import { chromium, nbconvertPython } from "./build/browser.ts";
import { buildCuda, buildNative, canCompileCuda } from "./build/build_native.ts";
import { run, task, taskArguments } from "./build/command.ts";
import { type Counts, NOTHING, sum, summary, tell } from "./build/counts.ts";
import { ctest } from "./build/ctest.ts";
import { countJunit } from "./build/junit.ts";
import { keepLock } from "./build/keep_lock.ts";
import { jupyterPython } from "./build/python.ts";
import { SchemoeError } from "../types.ts";

/** Kernels and browsers, which lose outputs on a busy machine. */
const alone = ["test/notebooks/", "test/browser/"];
/** `deno.lock` with ONNX Runtime, which is left out of that one because every task fetches its packages. */
const lock = "test/deno.lock";

await task(async () => {
  const reports = await Deno.makeTempDir();
  const suites = [await setUp(buildNative), await setUp(jupyterPython)];
  const args = taskArguments();
  if (args.length > 0) {
    suites.push(await keepLock(() => deno(`${reports}/some.xml`, args, false)));
  } else {
    suites.push(await setUp(chromium), await setUp(nbconvertPython));
    suites.push(await keepLock(() => deno(`${reports}/all.xml`, ["test/"], true)));
    suites.push(await keepLock(() => deno(`${reports}/alone.xml`, alone, false)));
    // CUDA's kernels lane by lane have a task of their own
    suites.push(await ctest("cpu", { choice: ["-LE", "emulated"] }));
    suites.push(...await cuda());
  }
  await Deno.remove(reports, { recursive: true });

  const all = sum(suites);
  await tell(all);
  console.log(summary(all));
  return all.failed > 0 || all.passed === 0 ? 1 : 0;
});

async function setUp(step: () => Promise<unknown>): Promise<Counts> {
  try {
    await step();
    return NOTHING;
  } catch (error) {
    if (!(error instanceof SchemoeError)) throw error;
    console.error(error.message);
    return { ...NOTHING, failed: 1 };
  }
}

/** Runs test files: all but those of `alone` in parallel, or the given ones one after another. */
async function deno(report: string, paths: readonly string[], parallel: boolean): Promise<Counts> {
  const status = await run(
    [
      Deno.execPath(),
      "test",
      "-A",
      "--frozen",
      `--lock=${lock}`,
      `--junit-path=${report}`,
      ...(parallel ? ["--parallel", `--ignore=${alone.join()}`] : []),
      ...paths,
    ],
    { env: { DENO_JOBS: Deno.env.get("DENO_JOBS") ?? "2" } },
  );
  return await countJunit(report, status);
}

/** That the CUDA engine compiles, and its tests, which are skipped without a GPU. */
async function cuda(): Promise<readonly Counts[]> {
  const asked = Deno.env.get("CI") === "true" || Deno.env.get("SCHEMOE_BUILD_CUDA");
  if (!asked) return [];
  if (!await canCompileCuda()) {
    return [{
      ...NOTHING,
      skipped: ["the CUDA engine and its tests: there is no nvcc to compile them"],
    }];
  }
  const built = await setUp(buildCuda);
  return built.failed > 0 ? [built] : [built, await ctest("cuda", { choice: ["-R", "^cuda_"] })];
}
