/** Everything that must hold before a change is committed; the first failure ends it. */
import { run, succeeds, task } from "./command.ts";
import { checkNotebooks } from "./check_notebooks.ts";

const deno = (...args: string[]) => run([Deno.execPath(), ...args]);
const quick = Deno.args.includes("--quick");
const readme = await succeeds(["test", "-f", "README.md"]) ? ["README.md"] : [];

const steps: [string, () => Promise<number>][] = [
  ["format", () => deno("fmt", "--check")],
  ["lint", () => deno("lint")],
  ["types", () => deno("check", "mod.ts", "lib/", "test/")],
  ["types of notebooks", checkNotebooks],
];
if (!quick) {
  steps.push(
    [
      "documentation examples",
      // console.assert only prints; the preload makes it throw, so that a wrong example fails
      () =>
        deno(
          "test",
          "-A",
          "--doc",
          "--preload=test/throwing_assert.ts",
          "mod.ts",
          "lib/",
          ...readme,
        ),
    ],
    ["tests", () => deno("task", "test")],
  );
}

await task(async () => {
  for (const [name, step] of steps) {
    console.error(`== ${name}`);
    const status = await step();
    if (status !== 0) return status;
  }
});
