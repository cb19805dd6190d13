import { assert, assertEquals } from "@std/assert";
import { walk } from "./walk.ts";

const LIB = new URL("../lib/", import.meta.url);
/** Top-level imports and re-exports, which are loaded with their module; dynamic ones are not. */
const IMPORT = /^\s*(?:import|export)\b[^;"']*?from\s*"([^"]+)"|^\s*import\s*"([^"]+)"/gm;

/** Modules of lib/ by path below it, with the specifiers that each imports. */
const modules = new Map(
  [...walk(LIB)].filter((path) => path.endsWith(".ts")).map((path) => {
    const source = Deno.readTextFileSync(new URL(path, LIB)).replace(/\/\*[\s\S]*?\*\//g, "");
    return [path, [...source.matchAll(IMPORT)].map((match) => match[1] ?? match[2])];
  }),
);

const resolve = (from: string, specifier: string) => new URL(specifier, new URL(from, LIB)).href;

Deno.test("folders of lib/ import each other without cycles", () => {
  const folders = new Map<string, Set<string>>();
  const folderOf = (path: string) => path.includes("/") ? path.split("/")[0] : path;
  for (const [path, specifiers] of modules) {
    const targets = folders.get(folderOf(path)) ?? new Set();
    folders.set(folderOf(path), targets);
    for (const specifier of specifiers.filter((s) => s.startsWith("."))) {
      const target = resolve(path, specifier).replace(LIB.href, "");
      if (folderOf(target) !== folderOf(path)) targets.add(folderOf(target));
    }
  }
  assert(folders.size > 10 && folders.get("moe")!.size > 5, "the imports were not found");
  const visit = (folder: string, way: readonly string[]): void => {
    assert(!way.includes(folder), `a cycle: ${[...way, folder].join(" -> ")}`);
    for (const next of folders.get(folder) ?? []) visit(next, [...way, folder]);
  };
  for (const folder of folders.keys()) visit(folder, []);
});

Deno.test("verify and bench load no plotting, DOM or ONNX package", () => {
  for (const entry of ["tasks/verify.ts", "tasks/bench.ts"]) {
    const loaded = new Set<string>();
    const packages = new Set<string>();
    const load = (path: string) => {
      if (loaded.has(path)) return;
      loaded.add(path);
      for (const specifier of modules.get(path) ?? []) {
        if (specifier.startsWith(".")) load(resolve(path, specifier).replace(LIB.href, ""));
        else packages.add(specifier);
      }
    };
    load(entry);
    assert(loaded.size > 30, `${entry} loads ${loaded.size} modules`);
    assertEquals([...packages].filter((name) => !/^(arquero|node:.*)$/.test(name)), [], entry);
  }
});
