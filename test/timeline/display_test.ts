import { assert, assertEquals, assertMatch } from "@std/assert";
import { display, displayable, escapeHtml } from "../../lib/timeline/chart/display.ts";
import { walk } from "../walk.ts";

const shown = (value: object) =>
  (value as Record<symbol, () => Promise<Record<string, string>>>)[Symbol.for("Jupyter.display")]();

Deno.test("escapeHtml() leaves nothing that HTML would read", () => {
  assertEquals(escapeHtml(`<b a="1">&'`), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;");
});

Deno.test("displayable() shows text as text", async () => {
  assertEquals(await shown(displayable({ text: "a < b" })), {
    "text/html": "<pre>a &lt; b</pre>",
    "text/plain": "a < b",
  });
});

Deno.test("displayable() shows a picture with its text, and alone", async () => {
  const bundle = await shown(displayable({ text: "1 & 2", svg: "<svg></svg>" }));
  assertMatch(
    bundle["text/html"],
    /^<div data-schemoe-picture>.*<svg><\/svg>.*<pre>1 &amp; 2<\/pre>$/s,
  );
  assertEquals(bundle["image/svg+xml"], "<svg></svg>");
  assertEquals(bundle["text/plain"], "1 & 2");
});

Deno.test("displayable() takes HTML as it is", async () => {
  assertEquals(
    (await shown(displayable({ text: "t", html: "<i>t</i>" })))["text/html"],
    "<i>t</i>",
  );
});

Deno.test("display() does nothing outside a notebook", async () => {
  assert(await display(displayable({ text: "t" })) === undefined);
});

Deno.test("displayable() is its text in a template", () => {
  assertEquals(`${displayable({ text: "t", html: "<i>t</i>" })}`, "t");
});

Deno.test("whatever shows itself in a notebook is text in a template too", () => {
  const lib = new URL("../../lib/", import.meta.url);
  // an element is its markup, and a list that of what it holds
  const others = ["timeline/chart/gantt.ts", "timeline/chart/lists.ts"];
  const silent = [...walk(lib)].filter((path) => path.endsWith(".ts") && !others.includes(path))
    .filter((path) => {
      const source = Deno.readTextFileSync(new URL(path, lib));
      return /\[(DISPLAY|Symbol\.for\("Jupyter\.display"\))\](\(\): |: async)/.test(source) &&
        !source.includes("toString");
    });
  assertEquals(silent, []);
});
