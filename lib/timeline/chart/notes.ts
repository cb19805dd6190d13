/** What a chart made with Observable Plot is of, in lines below its axis. @module */
import { wrap } from "./facts.ts";
import { PAGE } from "./palette.ts";
import type { loadPlot } from "./plot.ts";

type Plot = Awaited<ReturnType<typeof loadPlot>>;

const SIZE = 11;
const LINE = 15;

/** Lines below a chart, and the room that they take. */
export interface Notes {
  /** Pixels that the bottom margin and the height of the chart grow by. */
  readonly room: number;
  readonly marks: (Plot: Plot) => ReturnType<Plot["text"]>[];
}

/**
 * Lines of a configuration below a chart, broken at their dots.
 * @param place width of the chart and where the lines begin: pixels right of the left edge of its frame, and below
 * the bottom edge.
 */
export function notes(
  lines: readonly string[],
  { width, dx, below, facet }: {
    readonly width: number;
    readonly dx: number;
    readonly below: number;
    readonly facet?: "super";
  },
): Notes {
  const broken = wrap(lines.filter((line) => line !== ""), SIZE, width - 28);
  return {
    room: broken.length > 0 ? LINE * broken.length + 6 : 0,
    marks: (Plot) =>
      broken.map((line, i) =>
        Plot.text([line], {
          frameAnchor: "bottom-left",
          lineAnchor: "top",
          textAnchor: "start",
          dx,
          dy: below + LINE * i,
          fontSize: SIZE,
          fill: PAGE.faint,
          text: (d: string) => d,
          facet,
        })
      ),
  };
}
