/** Title, subtitle and names of curves of a chart made with Observable Plot. @module */
import { PAGE } from "./palette.ts";
import type { loadPlot } from "./plot.ts";

/** What stands above a chart, and where, in pixels from the top left corner of its frame. */
export interface Heading {
  readonly title: string;
  readonly subtitle: string;
  readonly dx: number;
  /** Of the title and of the subtitle. */
  readonly dy: readonly [number, number];
  /** `"super"`: once over all facets. */
  readonly facet?: "super";
}

/** The two marks of a heading. */
export function heading(
  Plot: Awaited<ReturnType<typeof loadPlot>>,
  { title, subtitle, dx, dy, facet }: Heading,
) {
  const place = { frameAnchor: "top-left", textAnchor: "start", dx, facet } as const;
  const text = (d: string) => d;
  return [
    Plot.text([title], {
      ...place,
      dy: dy[0],
      fontSize: 14,
      fontWeight: "bold",
      fill: PAGE.ink,
      text,
    }),
    Plot.text([subtitle], { ...place, dy: dy[1], fontSize: 11, fill: PAGE.faint, text }),
  ];
}

/** A dash in the colour of a curve and its name in ink, which stands out on any paper, at a place as above. */
export function key(
  Plot: Awaited<ReturnType<typeof loadPlot>>,
  name: string,
  { dash, color, dx, dy }: {
    readonly dash: string;
    readonly color: string;
    readonly dx: number;
    readonly dy: number;
  },
) {
  const place = { frameAnchor: "top-left", textAnchor: "start", dy, fontSize: 12 } as const;
  const text = (d: string) => d;
  return [
    Plot.text([dash], { ...place, dx, fontWeight: "bold", fill: color, text }),
    Plot.text([name], { ...place, dx: dx + 22, fill: PAGE.ink, text }),
  ];
}
