/** Everything that must hold before a change is committed; the first failure ends it. */
import { SchemoeError } from "../types.ts";
import { checkNotebooks } from "./notebook/check_notebooks.ts";
import { run, succeeds, task, taskArguments } from "./build/command.ts";

const deno = (...args: string[]) => run([Deno.execPath(), ...args]);
const USAGE = "usage: deno task ok [--quick]";
const args = taskArguments(USAGE);
const quick = args.includes("--quick");
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
  const foreign = args.find((arg) => arg !== "--quick");
  if (foreign) throw new SchemoeError(`Unknown argument "${foreign}"; ${USAGE}`);
  for (const [name, step] of steps) {
    console.error(`== ${name}`);
    const status = await step();
    if (status !== 0) return status;
  }
});
