/** Runs the examples of the documentation, in `mod.ts`, `lib/` and README: each must end without an error. */
import { run, succeeds, task } from "./build/command.ts";
import { summary, tell } from "./build/counts.ts";
import { countJunit } from "./build/junit.ts";
import { keepLock } from "./build/keep_lock.ts";

await task(async () => {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const readme = await succeeds(["test", "-f", "README.md"]) ? ["README.md"] : [];
  const status = await keepLock(() =>
    run([
      // console.assert only prints; the preload makes it throw, so that a wrong example fails
      Deno.execPath(),
      "test",
      "-A",
      "--doc",
      "--preload=test/throwing_assert.ts",
      `--junit-path=${report}`,
      "mod.ts",
      "lib/",
      ...readme,
    ])
  );
  const counts = await countJunit(report, status);
  await Deno.remove(report);
  await tell(counts);
  console.log(summary(counts));
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
});
