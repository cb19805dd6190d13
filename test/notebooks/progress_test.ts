import { assertEquals, assertMatch } from "@std/assert";
import { executeNotebook } from "./execute.ts";
import { notebook } from "./notebook.ts";

Deno.test("progress() updates one output of a notebook, and its last state stays", async () => {
  const directory = await Deno.makeTempDir({
    dir: `${import.meta.dirname}/../../notebooks`,
    prefix: ".test-",
  });
  try {
    const cell = `import { progress } from "@schemoe/lab";
    const line = progress(30, "runs");
    for (let i = 0; i < 30; i++) {
      await new Promise((done) => setTimeout(done, 60));
      line.advance();
    }
    await line.done("best 3");`;
    await Deno.writeTextFile(`${directory}/test.ipynb`, notebook(cell));
    const { cells: [{ status, outputs }], late } = await executeNotebook(`${directory}/test.ipynb`);
    assertEquals([status, outputs.length, late], ["ok", 1, 0]);
    assertMatch(outputs[0].data!["text/plain"], /^runs 30\/30 · \d\.\d+ s · best 3$/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
