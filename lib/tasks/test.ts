/**
 * All tests, of TypeScript and of the native library; ends with `N passed, M failed`. Arguments
 * are passed to `deno test`, and then only that runs.
 */
import { run, succeeds, task } from "./command.ts";
import { root } from "./command.ts";
import { jupyterPython } from "./python.ts";
import { countJunit } from "./junit.ts";

await task(async () => {
  await jupyterPython();
  const reports = await Deno.makeTempDir();
  const suites = [await deno(`${reports}/deno.xml`)];
  const built = await succeeds(["test", "-f", `${root}/native/build/cpu/CTestTestfile.cmake`]);
  if (Deno.args.length === 0 && built) suites.push(await native(`${reports}/native.xml`));
  await Deno.remove(reports, { recursive: true });

  const passed = suites.reduce((sum, suite) => sum + suite.passed, 0);
  const failed = suites.reduce((sum, suite) => sum + suite.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
});

async function deno(report: string) {
  const paths = Deno.args.length > 0 ? Deno.args : ["test/"];
  const status = await run(
    [Deno.execPath(), "test", "-A", "--parallel", `--junit-path=${report}`, ...paths],
    { env: { DENO_JOBS: Deno.env.get("DENO_JOBS") ?? "2", ONNXRUNTIME_NODE_INSTALL: "skip" } },
  );
  return await countJunit(report, status);
}

async function native(report: string) {
  const status = await run([
    "ctest",
    ...["--test-dir", `${root}/native/build/cpu`, "--output-junit", report],
    ...["--output-on-failure", "--timeout", "300"],
  ]);
  return await countJunit(report, status);
}
