import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { candidatesSvg } from "../../lib/adaptive/tune_chart.ts";
import { walk } from "../walk.ts";

/** Files whose drawings have no axes of Plot's, or are put together from several. */
const OWN = ["timeline/chart/draw.ts", "timeline/chart/picture.ts", "tasks/soak/chart.ts"];

Deno.test("every chart with axes of Plot's ends with svgText(), so that dark pages show it", async () => {
  const lib = new URL("../../lib/", import.meta.url);
  const found: string[] = [];
  for (const path of walk(lib)) {
    if (!path.endsWith(".ts") || OWN.includes(path)) continue;
    const text = await Deno.readTextFile(new URL(path, lib));
    if (text.includes("Plot.plot(") && !text.includes("svgText(element, {")) found.push(path);
  }
  assertEquals(found, []);
});

Deno.test("svgText() gives paper, ink and dark colours", async () => {
  const row = { name: "a", predicted: 1, bound: 1, measured: [1], chosen: true };
  const svg = await candidatesSvg([{ pass: "forward", rows: [row] }], []);
  assertStringIncludes(svg, '<rect fill="#ffffff" height="100%" width="100%"');
  assertStringIncludes(svg, 'svg:root [fill="#1f2328"]{fill:#e6edf3}');
  assert(
    /<text [^>]*fill="#1f2328"[^>]*>forward: a</.test(svg),
    "the name of the row has no colour of its own",
  );
});
