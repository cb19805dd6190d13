import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SchemoeError } from "../../lib/types.ts";
import { type ExecutedNotebook, executeNotebook } from "./execute.ts";
import { notebook } from "./notebook.ts";

/** Executes code cells as a notebook in a directory inside the repository's `notebooks/`. */
async function execute(cells: string[], seconds?: number): Promise<ExecutedNotebook> {
  const directory = await Deno.makeTempDir({
    dir: `${import.meta.dirname}/../../notebooks`,
    prefix: ".test-",
  });
  try {
    await Deno.writeTextFile(`${directory}/test.ipynb`, notebook(...cells));
    return await executeNotebook(`${directory}/test.ipynb`, { seconds });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("executeNotebook() gives streams, results and values of earlier cells", async () => {
  // What is printed at the very end of a cell may come after the kernel calls it done.
  const wait = "await new Promise((done) => setTimeout(done, 100));";
  const { cells } = await execute([`const a = 41; console.log('printed'); ${wait}`, "a + 1"]);
  assertEquals(cells.map(({ status }) => status), ["ok", "ok"]);
  assertEquals(cells[0].outputs[0].text, "printed\n");
});

Deno.test("executeNotebook() finds the package by its name", async () => {
  const { cells } = await execute(['import { AssertionError } from "@std/assert"; AssertionError']);
  assertEquals(cells[0].error, "");
});

const broken: Record<string, { cell: string; error: string; outputs: number }> = {
  "a syntax error, which shows nothing": { cell: "let = ;;(", error: "", outputs: 0 },
  "a missing module": {
    cell: 'import { a } from "./missing.ts"; a',
    error: "Module not found",
    outputs: 1,
  },
  "a missing npm name": { cell: 'import a from "missing-name"; a', error: "", outputs: 1 },
  "an error thrown": { cell: 'throw new Error("rank 2")', error: "rank 2", outputs: 1 },
  "a rejected promise": {
    cell: 'await Promise.reject(new Error("rank 3"))',
    error: "rank 3",
    outputs: 1,
  },
};

Deno.test("executeNotebook() tells each kind of failing cell", async (t) => {
  const { cells } = await execute([...Object.values(broken).map(({ cell }) => cell), "1 + 1"]);
  for (const [i, [name, { error, outputs }]] of Object.entries(broken).entries()) {
    await t.step(name, () => {
      assertEquals(cells[i].status, "error");
      assertStringIncludes(cells[i].error, error);
      assertEquals(cells[i].outputs.length, outputs, JSON.stringify(cells[i].outputs));
    });
  }
  await t.step("and executes the cells after it", () => {
    assertEquals(cells.at(-1)!.status, "ok");
  });
});

Deno.test("executeNotebook() names the cell that is not done in time", async () => {
  const error = await assertRejects(
    () => execute(["1", "await new Promise((done) => setTimeout(done, 60_000))"], 10),
    SchemoeError,
  );
  assertStringIncludes(error.message, "cell 2: not done within 10 s");
});

Deno.test("executeNotebook() names the cell in which the kernel dies", async () => {
  const error = await assertRejects(() => execute(["1", "Deno.exit(3)"], 30), SchemoeError);
  assertStringIncludes(error.message, "cell 2: the kernel died");
});

Deno.test("a value that broadcasts its picture and waits 50 ms is never lost", async () => {
  const cell = `({
    async [Symbol.for("Jupyter.display")]() {
      const data = { "text/html": "<b>shown</b>" + "x".repeat(100_000) };
      await Deno.jupyter.broadcast("display_data", { data, metadata: {}, transient: {} });
      await new Promise((resolve) => setTimeout(resolve, 50));
      return {};
    },
  })`;
  const { cells, late } = await execute(Array(40).fill(cell));
  const shown = cells.filter(({ outputs }) =>
    outputs.some(({ data }) => data?.["text/html"]?.startsWith("<b>shown</b>"))
  );
  assertEquals(shown.length, 40);
  assertEquals(late, 0);
  assert(cells.every(({ status }) => status === "ok"));
});
