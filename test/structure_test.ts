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
const inLib = (from: string, specifier: string) => resolve(from, specifier).replace(LIB.href, "");

/** Fails with the way of a cycle. */
function assertNoCycle(edges: ReadonlyMap<string, ReadonlySet<string>>): void {
  const done = new Set<string>();
  const visit = (node: string, way: readonly string[]): void => {
    assert(!way.includes(node), `a cycle: ${[...way, node].join(" -> ")}`);
    if (done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...way, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
}

/** Imports between places, a place being what `placeOf` makes of a path. */
function importsBetween(placeOf: (path: string) => string): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const [path, specifiers] of modules) {
    const place = placeOf(path);
    const targets = edges.get(place) ?? new Set();
    edges.set(place, targets);
    for (const specifier of specifiers.filter((s) => s.startsWith("."))) {
      const target = placeOf(inLib(path, specifier));
      if (target !== place) targets.add(target);
    }
  }
  return edges;
}

Deno.test("folders of lib/ import each other without cycles", () => {
  const folders = importsBetween((path) => path.includes("/") ? path.split("/")[0] : path);
  assert(folders.size > 10 && folders.get("layer")!.size > 5, "the imports were not found");
  assertNoCycle(folders);
});

Deno.test("README lists the folders of lib/ from the bottom up", () => {
  const readme = Deno.readTextFileSync(new URL("../README.md", LIB));
  const [, list] = /^`lib\/`, from the bottom up[^]*?\n\n([^]*?)\n\n/m.exec(readme)!;
  const lines = list.split("\n").map((line) =>
    [...line.matchAll(/`([a-z]+)\/`/g)].map(([, name]) => name)
  );
  const lineOf = new Map(lines.flatMap((names, at) => names.map((name) => [name, at] as const)));
  const folders = importsBetween((path) => path.includes("/") ? path.split("/")[0] : path);
  const named = [...folders.keys()].filter((name) => !name.includes("."));
  assertEquals([...lineOf.keys()].sort(), named.sort());
  for (const name of named) {
    for (const imported of [...folders.get(name)!].filter((other) => lineOf.has(other))) {
      assert(
        lineOf.get(imported)! <= lineOf.get(name)!,
        `${name} imports ${imported}, a line below`,
      );
    }
  }
});

Deno.test("files of lib/ import each other without cycles", () => {
  assertNoCycle(importsBetween((path) => path));
});

Deno.test("lib/ imports nothing of test/", () => {
  for (const [path, specifiers] of modules) {
    for (const specifier of specifiers.filter((s) => s.startsWith("."))) {
      assert(!/\/test\//.test(specifier), `lib/${path} imports ${specifier}`);
    }
  }
});

Deno.test("verify and bench load no plotting, DOM or ONNX package", () => {
  for (const entry of ["tasks/verify.ts", "tasks/bench.ts"]) {
    const loaded = new Set<string>();
    const packages = new Set<string>();
    const load = (path: string) => {
      if (loaded.has(path)) return;
      loaded.add(path);
      for (const specifier of modules.get(path) ?? []) {
        if (specifier.startsWith(".")) load(inLib(path, specifier));
        else packages.add(specifier);
      }
    };
    load(entry);
    assert(loaded.size > 30, `${entry} loads ${loaded.size} modules`);
    assertEquals([...packages].filter((name) => !/^(arquero|node:.*)$/.test(name)), [], entry);
  }
});

Deno.test("all that is exported is documented, and names no type that is not exported", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("../deno.json", LIB)));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...Object.values<string>(config.exports)],
    cwd: new URL("../", LIB),
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
