import { assert, assertEquals } from "@std/assert";
import { executeNotebook, type Output } from "./execute.ts";
import { expectations } from "./expectations.ts";

const directory = `${import.meta.dirname}/../../notebooks`;
const names = Deno.readDirSync(directory).map(({ name }) => name)
  .filter((name) => name.endsWith(".ipynb")).toArray().toSorted();

/** All text of an output: of its stream and of each MIME type. */
const text = ({ data = {}, text = "" }: Output): string =>
  [text, ...Object.values(data)].join("\n");

for (const name of names) {
  Deno.test(`${name} has no outputs in git`, async () => {
    const { cells } = JSON.parse(await Deno.readTextFile(`${directory}/${name}`));
    for (const [i, cell] of cells.entries()) {
      if (cell.cell_type !== "code") continue;
      assertEquals(cell.outputs, [], `cell ${i + 1}`);
      assertEquals(cell.execution_count, null, `cell ${i + 1}`);
    }
  });

  Deno.test(`${name} runs, and shows what it promises`, async () => {
    const { cells, late } = await executeNotebook(`${directory}/${name}`, { seconds: 300 });
    for (const [i, { status, error, source }] of cells.entries()) {
      assertEquals(status, "ok", `code cell ${i + 1}: ${error || "syntax error?"}\n${source}`);
    }
    const shown = cells.flatMap(({ outputs }) => outputs);
    for (const pattern of expectations[name] ?? []) {
      assert(shown.some((output) => pattern.test(text(output))), `nothing matches ${pattern}`);
    }
    assertEquals(late, 0, "outputs that came after their cell was done");
  });
}

Deno.test("each notebook with expectations is there", { ignore: names.length === 0 }, () => {
  for (const name of Object.keys(expectations)) assert(names.includes(name), name);
});
