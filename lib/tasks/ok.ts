/** Everything that must hold before a change is committed; the first failure ends it, with `--quick` the last one. */
import { SchemoeError } from "../types.ts";
import { checkNotebooks } from "./notebook/check_notebooks.ts";
import { NOTHING, tell } from "./build/counts.ts";
import { run, task, taskArguments } from "./build/command.ts";

const deno = (...args: string[]) => run([Deno.execPath(), ...args]);
const USAGE = "usage: deno task ok [--quick]";
const args = taskArguments(USAGE);
const quick = args.includes("--quick");

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
      () => deno("task", "examples"),
    ],
    ["tests", () => deno("task", "test")],
  );
}

await task(async () => {
  const foreign = args.find((arg) => arg !== "--quick");
  if (foreign) throw new SchemoeError(`Unknown argument "${foreign}"; ${USAGE}`);
  let worst = 0;
  for (const [name, step] of steps) {
    console.error(`== ${name}`);
    const status = await step();
    if (quick) await tell({ ...NOTHING, [status === 0 ? "passed" : "failed"]: 1 });
    worst ||= status;
    if (status !== 0 && !quick) break;
  }
  return worst;
});
