import { assertEquals, assertStringIncludes } from "@std/assert";
import { executeNotebook } from "./execute.ts";
import { notebook } from "./notebook.ts";

/** Cells that fail, each for another reason, and the error that each must show. */
const failing: readonly (readonly [cell: string, shows: string])[] = [
  ['openEngine({ kind: "gpu" })', 'unknown kind "gpu"'],
  ["createLayer(engine, { ...config, experts: 3 })", "2 ranks do not divide 3 experts"],
  ['await layer.forward({ scheduler: "optShe" })', 'Unknown scheduler "optShe"'],
  ["await layer.forward({ x: new Float32Array(1) })", 'Cannot set "x"'],
  [
    'await layer.forward({ scheduler: { name: "mine", order() { throw new Error("my bug"); } } })',
    "my bug",
  ],
  [
    "const kernel = (c) => c.host(() => { throw new Error('in a lane'); });\n" +
    "await createLayer(engine, { ...config, expert: { ...ffn(), forward: (c) => [kernel(c)] } }).forward()",
    "its host function failed: in a lane",
  ],
  ["await layer.forward({ timeLimit: 1e-9 })", "Cannot finish the run"],
  ['await fromChromeTrace("hello")', "Cannot import the trace"],
  ["await createLayer(engine, config).backward()", "Cannot run backward: run forward first"],
];

Deno.test("the kernel stays alive after bad inputs, and the next cell works", async () => {
  const directory = await Deno.makeTempDir({ dir: `${import.meta.dirname}/../../notebooks` });
  try {
    const first = [
      'import { createLayer, ffn, openEngine, settled } from "@schemoe/lab"; import { fromChromeTrace } from "@schemoe/lab/timeline";',
      "const config = { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 2 };",
      'const engine = openEngine({ kind: "cpu", nodes: 1, ranksPerNode: 2 });',
      "const layer = createLayer(engine, config);",
    ].join("\n");
    const works =
      "console.log((await layer.forward({ bound: false })).output.length);\nawait settled();";
    const cells = [first, ...failing.flatMap(([cell]) => [cell, works])];
    await Deno.writeTextFile(`${directory}/bad.ipynb`, notebook(...cells));
    const executed = await executeNotebook(`${directory}/bad.ipynb`);
    assertEquals(executed.cells[0].status, "ok", executed.cells[0].error);
    for (const [i, [cell, shows]] of failing.entries()) {
      const [bad, good] = executed.cells.slice(1 + 2 * i);
      assertEquals(bad.status, "error", cell);
      assertStringIncludes(bad.error, "SchemoeError", cell);
      assertStringIncludes(bad.error, shows);
      assertEquals(good.status, "ok", `after ${cell}: ${good.error}`);
      assertEquals(good.outputs.at(-1)?.text, "4096\n");
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
