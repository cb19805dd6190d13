import { assert, assertEquals } from "@std/assert";
import { placeLabels } from "../../lib/timeline/chart/place_labels.ts";

const label = { width: 60, height: 14 };

Deno.test("placeLabels() puts a label beside its dot, on the side that is asked for", () => {
  assertEquals(placeLabels([{ x: 0, y: 0, ...label }, { x: 200, y: 0, ...label, left: true }]), [
    { anchor: "start", dx: 8, dy: 0 },
    { anchor: "end", dx: -8, dy: 0 },
  ]);
});

Deno.test("placeLabels() lays no label of five close dots on another", () => {
  const dots = [0, 3, 6, 9, 12].map((at) => ({ x: at, y: at, ...label }));
  const boxes = placeLabels(dots).map(({ anchor, dx, dy }, i) => {
    const left = dots[i].x + dx - (anchor === "end" ? label.width : 0);
    const top = dots[i].y + dy - label.height / 2;
    return { left, top, right: left + label.width, bottom: top + label.height };
  });
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) {
      const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top ||
        b.bottom <= a.top;
      assert(apart, `${JSON.stringify(a)} lies on ${JSON.stringify(b)}`);
    }
  }
});
