import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { runNotebook, textOf } from "../../lib/tasks/notebook/run_notebook.ts";
import { SchemoeError } from "../../lib/types.ts";
import { notebook } from "./notebook.ts";

/** Runs cells as a notebook inside the repository; gives the text of each that was run. */
async function texts(
  cells: readonly string[],
  { env = {}, into = [] }: { env?: Record<string, string>; into?: string[] } = {},
): Promise<readonly string[]> {
  const directory = await Deno.makeTempDir({
    dir: `${import.meta.dirname}/../../notebooks`,
    prefix: ".test-",
  });
  try {
    await Deno.writeTextFile(`${directory}/test.ipynb`, notebook(...cells));
    const shown = (_: number, outputs: Parameters<typeof textOf>[0][]) =>
      into.push(outputs.map(textOf).join(""));
    await runNotebook(`${directory}/test.ipynb`, (cell, outputs) => shown(cell, [...outputs]), env);
    return into;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Prints at the end of a cell need a moment, or they come with the next cell. */
const print = (expression: string) =>
  `console.log(${expression}); await new Promise((done) => setTimeout(done, 50));`;

Deno.test("runNotebook() shows what each cell prints, with values of earlier cells", async () => {
  const cells = [`const a: number = 41; ${print("'first'")}`, print("a + 1")];
  assertEquals(await texts(cells), ["first\n", "42\n"]);
});

Deno.test("runNotebook() shows a picture by its text, and the last state of a progress", async () => {
  const cells = [
    'import { displayable, progress } from "@schemoe/lab/timeline";',
    'displayable({ text: "seen", svg: "<svg/>" })',
    `const line = progress(2, "runs");
    await new Promise((done) => setTimeout(done, 1100));
    line.advance();
    line.advance();
    await line.done("best 3");`,
  ];
  const [, picture, state] = await texts(cells);
  assertEquals(picture, "seen\n");
  assertMatch(state, /^runs 2\/2 · [\d.]+ s · best 3\n$/);
});

Deno.test("a cell whose value is a list of runs shows all of them, and other lists as before", async () => {
  const cells = [
    `import { createLayer, openEngine } from "@schemoe/lab";
    const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
    const layer = createLayer(engine, { tokens: 64, modelDim: 16, hiddenDim: 16, experts: 4 });
    const first = await layer.forward({ name: "first" });
    const best = await layer.forward({ name: "best", scheduler: "optSche", chunks: 4 });`,
    "[first, best]",
    "[1, 2]",
  ];
  const [, runs, numbers] = await texts(cells);
  assertMatch(runs, /^run +makespan[^]*^first +[\d.]+ \w?s[^]*^best +[\d.]+ \w?s/m);
  assertEquals(numbers, "[ 1, 2 ]\n");
});

Deno.test("runNotebook() takes cells and outputs of more than 255 bytes", async () => {
  const long = "x".repeat(100_000);
  assertEquals(await texts([print(`"${long}"`)]), [`${long}\n`]);
});

const failing: Record<string, { cell: string; says: string }> = {
  "a cell that throws": { cell: 'throw new Error("rank 2")', says: "cell 2: Error: rank 2" },
  "a syntax error": {
    cell: "let = ;;(",
    says: "cell 2: Execution failed: most often a syntax error",
  },
  "a missing module": {
    cell: 'import "./nowhere.ts";',
    says: "cell 2: TypeError: Module not found",
  },
  "a kernel that dies": { cell: "Deno.exit(3)", says: "cell 2: the kernel died" },
};
for (const [name, { cell, says }] of Object.entries(failing)) {
  Deno.test(`runNotebook() ends at ${name} and names it`, async () => {
    const into: string[] = [];
    const error = await assertRejects(
      () => texts([print("1"), cell, print("3")], { into }),
      SchemoeError,
    );
    assertStringIncludes(error.message, says);
    assertEquals(into[0], "1\n");
    assertEquals(into.slice(1).join(""), "");
  });
}

const open = 'import { openEngine } from "@schemoe/lab";';
const kind = (options: string) => print(`openEngine(${options}).kind`);

Deno.test("SCHEMOE_ENGINE is the engine of cells that name none, and of no others", async () => {
  const cells = [open, kind("{}"), kind('{ kind: "simulate" }')];
  assertEquals((await texts(cells, { env: { SCHEMOE_ENGINE: "" } })).join(""), "cpu\nsimulate\n");
  const forced = [open, kind('{ kind: "cpu" }'), kind('{ kind: "simulate" }')];
  const env = { SCHEMOE_ENGINE: "cuda" };
  assertEquals((await texts(forced, { env })).join(""), "cpu\nsimulate\n");
});

Deno.test("SCHEMOE_ENGINE with an unknown name is an error of the cell that opens", async () => {
  const env = { SCHEMOE_ENGINE: "gpu" };
  await assertRejects(() => texts([open, kind("{}")], { env }), SchemoeError, 'is "gpu", it must');
});
