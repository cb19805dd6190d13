import { assert, assertEquals } from "@std/assert";
import { executeNotebook } from "./execute.ts";

const directory = `${import.meta.dirname}/../../notebooks/results`;
const names = Deno.readDirSync(directory).map(({ name }) => name)
  .filter((name) => name.endsWith(".ipynb")).toArray().toSorted();

Deno.test("there are notebooks of results", () => assert(names.length > 0));

for (const name of names) {
  Deno.test(`${name} shows its results again, on any machine`, async () => {
    const { cells } = JSON.parse(await Deno.readTextFile(`${directory}/${name}`));
    const code = cells.filter(({ cell_type }: { cell_type: string }) => cell_type === "code");
    const executed = await executeNotebook(`${directory}/${name}`, { seconds: 300 });
    assertEquals(executed.cells.length, code.length);
    for (const [i, { status, error, outputs }] of executed.cells.entries()) {
      assertEquals(status, "ok", `code cell ${i + 1}: ${error || "syntax error?"}`);
      assertEquals(outputs.length > 0, code[i].outputs.length > 0, `code cell ${i + 1}`);
    }
  });
}
