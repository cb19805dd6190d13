import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ganttPng, svgToPng } from "../../lib/timeline/chart/png.ts";
import { SchemoeError } from "../../lib/types.ts";
import { timelineOf } from "./fixture.ts";

const size = (png: Uint8Array) => {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
};
const svg = (inner: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50" font-family="system-ui, sans-serif">${inner}</svg>`;

Deno.test("ganttPng() draws the chart at twice its size, or what is asked for", async () => {
  const timeline = timelineOf([{ start: 0, end: 10 }]);
  const png = await ganttPng(timeline, { width: 500 });
  assertEquals([...png.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  assertEquals(size(png)[0], 1000);
  assertEquals(size(await ganttPng(timeline, { width: 500, scale: 1 }))[0], 500);
});

Deno.test("svgToPng() draws text, bold and italic too", async () => {
  const draw = (style: string, text: string) =>
    svgToPng(svg(`<text x="5" y="30" ${style}>${text}</text>`));
  const seen = [await svgToPng(svg(""))];
  for (const style of ["", 'font-weight="bold"', 'font-style="italic"']) {
    seen.push(await draw(style, "E 0"));
  }
  seen.push(await draw("", "E 1"), await draw("", "· … – { }"));
  const keys = seen.map((png) => png.join());
  for (const [i, key] of keys.entries()) {
    for (const other of keys.slice(i + 1)) assertNotEquals(key, other);
  }
  assertEquals((await draw("", "E 0")).join(), keys[1]);
  assert(keys[0].length < keys[1].length);
});

Deno.test("svgToPng() throws for what is no SVG, and a scale that is none", async () => {
  await assertRejects(() => svgToPng("<p>no</p>"), SchemoeError, "Cannot make the PNG");
  await assertRejects(() => svgToPng(svg(""), { scale: 0 }), SchemoeError, "scale is 0");
});

Deno.test("svgToPng() refuses more pixels than memory is taken for, and names a scale that fits", async () => {
  const wide = '<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="500"/>';
  await assertRejects(
    () => svgToPng(wide, { scale: 16 }),
    SchemoeError,
    "20000 x 500 at the scale 16 are 2560 million pixels, at most 250 million are drawn; take a scale of at most 5",
  );
});
