import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { executeNotebook } from "./execute.ts";
import { notebook } from "./notebook.ts";

Deno.test("a cell whose await was forgotten says so, and what it began goes on", async () => {
  const directory = await Deno.makeTempDir({ dir: `${import.meta.dirname}/../../notebooks` });
  try {
    const setup = [
      'import { createLayer, openEngine, settled } from "@schemoe/lab";',
      'const engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2 });',
      "const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 2 });",
    ].join("\n");
    const cells = [
      setup,
      "layer.forward()",
      'console.log(layer.get("gate.weight").length);\nawait settled();',
      'layer.forward({ scheduler: "optShe" })',
      "const { output } = layer.forward();",
      "await engine.idle();\nconsole.log((await layer.forward()).output.length);\nawait settled();",
    ];
    await Deno.writeTextFile(`${directory}/unawaited.ipynb`, notebook(...cells));
    const { cells: executed } = await executeNotebook(`${directory}/unawaited.ipynb`);
    const [, pending, get, failed, taken, awaited] = executed;
    const shown = ({ outputs }: typeof pending) => JSON.stringify(outputs);
    assertEquals(pending.status, "ok");
    assertMatch(shown(pending), /write .*await.* before the run: const run = await layer\.forward/);
    assertEquals(get.outputs.at(-1)?.text, "64\n");
    assertStringIncludes(shown(failed), "The run that was not awaited failed: SchemoeError");
    assertStringIncludes(shown(failed), "Unknown scheduler");
    assertStringIncludes(taken.error, 'Cannot read "output": got a Promise; write "await" before');
    assertEquals(awaited.outputs.at(-1)?.text, "4096\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
