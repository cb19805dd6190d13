/** What the README shows is what its code gives. */
import { assert, assertEquals } from "@std/assert";
import { compare, createLayer, openEngine, topK, topology } from "../mod.ts";

const ROOT = new URL("../", import.meta.url);

Deno.test("README's picture is the layer of its first example, simulated", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const [, picture] = /^!\[.+\]\((.+\.svg)\)$/m.exec(readme)!;
  const [, sizes] = /const sizes = \{ (.+), gate: topK\(\{ k: 2 \}\) \};/.exec(readme)!;
  const [tokens, modelDim, hiddenDim, experts] = sizes.match(/\d+/g)!.map(Number);
  const world = topology({ nodes: 2, ranksPerNode: 2 });
  const engine = openEngine({ kind: "simulate", topology: world });
  const gate = topK({ k: 2 });
  const layer = createLayer(engine, { tokens, modelDim, hiddenDim, experts, gate });
  const first = await layer.forward();
  const best = await layer.forward({ scheduler: "optSche", chunks: 4, allToAll: "pipe" });
  const drawn = await compare([first, best]).svg();
  const path = new URL(picture, ROOT);
  if (drawn !== await Deno.readTextFile(path)) {
    await Deno.writeTextFile(new URL(picture.replace(".svg", ".new.svg"), ROOT), drawn);
    assert(false, `${picture} comes out otherwise: it is written beside it as .new.svg`);
  }
});

Deno.test("README of the results names every file beside it, and no other", async () => {
  const folder = new URL("notebooks/results/", ROOT);
  const readme = await Deno.readTextFile(new URL("README.md", folder));
  const named = [...readme.matchAll(/`([\w-]+\.(?:jsonl|ipynb|svg))`/g)].map(([, name]) => name);
  const files = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => name)
    .filter((name) => name !== "README.md" && !name.endsWith(".new.svg"));
  assertEquals(files.filter((name) => !named.includes(name)), []);
  const tutorials = [...Deno.readDirSync(new URL("../", folder))].map(({ name }) => name);
  assertEquals(named.filter((name) => ![...files, ...tutorials].includes(name)), []);
});
