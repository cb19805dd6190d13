import { assertEquals, assertStringIncludes } from "@std/assert";
import { argumentProblem, taskArguments } from "../../lib/tasks/build/command.ts";
import { parseBenchOptions } from "../../lib/tasks/bench/options.ts";

Deno.test("taskArguments() leaves out the `--` that deno task passes on, and no other", () => {
  assertEquals(taskArguments("usage", ["--", "--engine", "cuda", "--", "x"]), [
    "--engine",
    "cuda",
    "--",
    "x",
  ]);
  assertEquals(taskArguments("usage", ["file", "--json"]), ["file", "--json"]);
  assertEquals(taskArguments("usage", []), []);
  // without a usage of its own, --help is for whom it is passed on to
  assertEquals(taskArguments(undefined, ["--", "--help"]), ["--help"]);
});

Deno.test("taskArguments() of documented commands are read as options", () => {
  const args = taskArguments("usage", ["--", "--engine", "cuda", "--json"]);
  assertEquals(parseBenchOptions(args), { engine: "cuda", json: true, names: [] });
});

Deno.test("argumentProblem() keeps what is wrong and leaves out advice", () => {
  const unknown = new TypeError(
    "Unknown option '--x'. To specify a positional argument starting with a '-', place it at the end",
  );
  assertEquals(argumentProblem(unknown), "Unknown option '--x'");
  const positional = new TypeError(
    "Unexpected argument 'x'. This command does not take positional arguments",
  );
  assertEquals(argumentProblem(positional), "Unexpected argument 'x'");
});

/** Runs a task's script and gives its status and all that it printed. */
async function script(name: string, ...args: string[]) {
  const path = new URL(`../../lib/tasks/${name}.ts`, import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", path, ...args],
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out, err };
}

Deno.test("tasks print their usage for --help", async () => {
  for (const name of ["demo", "verify", "bench", "native", "pack", "sanitize", "emulate", "ok"]) {
    const { code, out } = await script(name, "--", "--help");
    assertEquals([name, code], [name, 0]);
    assertStringIncludes(out, `usage: deno task ${name}`);
  }
});

Deno.test("tasks refuse arguments that they do not know, after `--` too", async () => {
  for (const name of ["demo", "verify", "bench", "native", "pack", "emulate", "ok"]) {
    for (const args of [["--bogus"], ["--", "--bogus"]]) {
      const { code, err } = await script(name, ...args);
      assertEquals([name, code], [name, 1]);
      assertStringIncludes(err, "--bogus");
      assertStringIncludes(err, `usage: deno task ${name}`);
    }
  }
});

Deno.test("notebooks that are none are named in one line", async () => {
  for (const [file, says] of [["nowhere.ipynb", "No such file"], ["README.md", "not valid JSON"]]) {
    const { code, err } = await script("notebook", "--", "--run", file);
    assertEquals(code, 1);
    assertStringIncludes(err, `${file}: `);
    assertStringIncludes(err, says);
    assertEquals(err.trim().split("\n").length, 1, err);
  }
});
