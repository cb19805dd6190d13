import { assert, assertEquals } from "@std/assert";
import { layOut, shorten, textWidth } from "../../lib/timeline/chart/layout.ts";
import { placeLegend } from "../../lib/timeline/chart/legend.ts";
import { barKind, kindStyle, PAGE } from "../../lib/timeline/chart/palette.ts";
import { DARK_COLOURS } from "../../lib/timeline/chart/theme.ts";

/** Simulations of full protanopia, deuteranopia and tritanopia on linear RGB, Machado et al. 2009. */
const VISIONS = {
  "normal vision": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const times = (m: number[][], v: number[]) =>
  m.map((row) => row.reduce((s, x, i) => s + x * v[i], 0));

function linear(hex: string): number[] {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
}

/** CIE L*a*b* of linear RGB. */
function lab(rgb: number[]): number[] {
  const xyz = times(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
    rgb.map((c) => Math.min(1, Math.max(0, c))),
  );
  const [x, y, z] = xyz.map((c, i) => c / [0.9505, 1, 1.089][i])
    .map((c) => c > 0.008856 ? Math.cbrt(c) : 7.787 * c + 16 / 116);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const contrast = (a: string, b: string) => {
  const luminance = (hex: string) => times([[0.2126, 0.7152, 0.0722]], linear(hex))[0] + 0.05;
  const [low, high] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return high / low;
};

const KINDS = ["gate", "dispatch", "compress", "allToAll", "decompress", "expert"]
  .concat(["expertInputGrad", "expertWeightGrad", "combine", "allReduce"])
  .concat([barKind("allToAll", "A2")]);
const THEMES = {
  light: (colour: string) => colour,
  dark: (colour: string) => DARK_COLOURS[colour] ?? colour,
};

for (const [theme, shown] of Object.entries(THEMES)) {
  for (const [vision, matrix] of Object.entries(VISIONS)) {
    Deno.test(`kindStyle() gives colours that differ by 20 or more in L*a*b*, ${theme}: ${vision}`, () => {
      const colours = [...KINDS.map((kind) => kindStyle(kind).fill), PAGE.exposed].map(shown);
      const seen = colours.map((colour) => lab(times(matrix, linear(colour))));
      for (const [i, a] of seen.entries()) {
        for (const [j, b] of seen.entries()) {
          const difference = Math.hypot(...a.map((value, at) => value - b[at]));
          assert(i >= j || difference >= 20, `${colours[i]} and ${colours[j]}: ${difference}`);
        }
      }
    });
  }

  Deno.test(`kindStyle() gives text that stands out from its bar, ${theme}`, () => {
    for (const kind of [...KINDS, "opaque"]) {
      const { fill, ink } = kindStyle(kind);
      const seen = contrast(shown(fill), shown(ink));
      assert(seen >= 3, `${kind}: ${seen}`);
    }
    const on = (ink: string) => contrast(shown(ink), shown(PAGE.paper));
    assert(on(PAGE.ink) >= 7 && on(PAGE.faint) >= 4.5);
  });
}

for (const [ranks, ranksPerNode] of [[1, 1], [4, 2], [8, 4], [16, 1], [16, 16]]) {
  Deno.test(`layOut() of ${ranks} ranks, ${ranksPerNode} a node: no label touches another`, () => {
    const layout = layOut({
      width: 960,
      header: 80,
      footer: 4,
      ranks: Array.from({ length: ranks }, (_, i) => ({
        rank: 4000 + i,
        node: 1000 + Math.floor(i / ranksPerNode),
      })),
      lanes: new Set(["inter", "compute", "intra"]),
    });
    assertEquals(layout.rows.length, 3 * ranks);
    assertEquals(layout.rows.slice(0, 3).map(({ lane }) => lane), ["compute", "intra", "inter"]);
    const { fontSize } = layout;
    for (const [at, row] of layout.rows.entries()) {
      assert(at === 0 || row.top >= layout.rows[at - 1].top + layout.rowHeight);
    }
    assert(fontSize < layout.rowHeight);
    const [node, rank, lane] = [layout.nodeLabels[0], layout.rankLabels[0], layout.laneLabels[0]];
    assert(node.x + textWidth(node.text, fontSize) < rank.x - textWidth(rank.text, fontSize));
    assert(rank.x < lane.x - textWidth(lane.text, fontSize) && lane.x < layout.left);
  });
}

for (const lanes of [["compute"], ["compute", "inter"], ["compute", "inter", "intra"]]) {
  Deno.test(`layOut() of 64 ranks with ${lanes.length} lanes: no label touches another`, () => {
    const ranks = Array.from({ length: 64 }, (_, rank) => ({ rank, node: Math.floor(rank / 8) }));
    const layout = layOut({ width: 960, header: 80, footer: 4, ranks, lanes: new Set(lanes) });
    assertEquals([layout.rows.length, layout.rankLabels.length], [64 * lanes.length, 64]);
    assertEquals(layout.laneLabels, []);
    for (const [at, { y }] of layout.rankLabels.entries()) {
      assert(at === 0 || y - layout.rankLabels[at - 1].y >= layout.fontSize + 2);
    }
    assert(layout.height < 1800 && layout.rowHeight >= 6);
  });
}

Deno.test("placeLegend() keeps within its edges, nothing over another", () => {
  for (const right of [386, 686, 946]) {
    const { names, bottom } = placeLegend({
      kinds: KINDS,
      waiting: true,
      exposed: true,
      left: 14,
      right,
      top: 44,
    });
    for (const [at, { x, y, text }] of names.entries()) {
      assert(x + textWidth(text, 11) <= right && y < bottom);
      const next = names[at + 1];
      assert(!next || next.y > y || next.x > x + textWidth(text, 11));
    }
  }
});

Deno.test("shorten() cuts what does not fit", () => {
  assertEquals(shorten("short", 14, 900), "short");
  const cut = shorten("x".repeat(500), 14, 900);
  assert(cut.endsWith("…") && textWidth(cut, 14) <= 900);
});
