import { assert, assertEquals } from "@std/assert";

const PICTURES = ["@observablehq/plot", "linkedom", "@resvg/", "@expo-google-fonts/"];

Deno.test("lib/timeline/mod.ts loads none of Plot, linkedom and resvg", async () => {
  const mod = new URL("../../lib/timeline/mod.ts", import.meta.url);
  const graph = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--no-lock", "--json", mod.href],
    cwd: new URL("../..", import.meta.url),
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(graph.stdout)) as {
    modules: {
      local?: string;
      dependencies?: { specifier: string; code?: object; isDynamic?: boolean }[];
    }[];
  };
  const uses = modules.flatMap(({ dependencies }) => dependencies ?? [])
    .filter(({ specifier }) => PICTURES.some((name) => specifier.startsWith(name)));
  assert(uses.length > 0);
  assertEquals(uses.filter(({ code, isDynamic }) => code && !isDynamic), []);
});
