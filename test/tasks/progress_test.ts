import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { watched } from "../../lib/tasks/build/command.ts";
import { tellProgress } from "../../lib/tasks/build/progress.ts";
import { SchemoeError } from "../../lib/types.ts";

const line = (percent: number) =>
  `[${`${percent}`.padStart(3)}%] Building CXX object CMakeFiles/schemoe.dir/src/a.cpp.o`;

function told(terminal: boolean, lines: readonly string[], step = 1000): string {
  let text = "", time = 0;
  const progress = tellProgress({
    what: "the library",
    usually: "about 90 s",
    terminal,
    write: (part) => text += part,
    now: () => time += step,
  });
  lines.forEach(progress.line);
  progress.end();
  return text;
}

Deno.test("tellProgress() says what is compiled, how long that takes, and how far it is every 10 s", () => {
  const lines = Array.from({ length: 12 }, (_, i) => line(8 * (i + 1)));
  assertEquals(
    told(false, ["Scanning dependencies", ...lines, "[100%] Built"], 3000),
    "compiling the library: about 90 s\n  40 %, 12 s\n  72 %, 24 s\ncompiled in 36 s   \n",
  );
});

Deno.test("tellProgress() writes over its line on a terminal", () => {
  assertStringIncludes(told(true, [2, 10].map(line)), "\r  2 %, 0 s \r  10 %, 1 s \rcompiled in");
});

Deno.test("tellProgress() says nothing where nothing is compiled", () => {
  assertEquals(told(false, ["[100%] Built target schemoe"]), "");
});

Deno.test("watched() hands on lines, and throws with all that was printed", async () => {
  const lines: string[] = [];
  await watched(["sh", "-c", "echo one; printf two; echo; echo three"], (text) => lines.push(text));
  assertEquals(lines, ["one", "two", "three"]);
  await assertRejects(
    () => watched(["sh", "-c", "echo out; echo err >&2; exit 3"], () => {}),
    SchemoeError,
    "status 3\nout\nerr",
  );
  await assertRejects(
    () => watched(["no-such-program"], () => {}),
    SchemoeError,
    "Cannot run no-such",
  );
});
