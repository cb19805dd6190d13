/** Charts of one row a name, along an axis of times or errors. @module */
import { heading } from "./heading.ts";
import { notes } from "./notes.ts";
import { PAGE } from "./palette.ts";
import { loadPlot, makeDocument } from "./plot.ts";
import { svgText } from "./theme.ts";

type Plot = Awaited<ReturnType<typeof loadPlot>>;
type PlotOptions = NonNullable<Parameters<Plot["plot"]>[0]>;

/** What a chart shows, and how large. */
export interface RowChart {
  readonly title: string;
  readonly subtitle: string;
  readonly ariaLabel: string;
  /** Names of the rows, from the top. */
  readonly names: readonly string[];
  /** The axis: its label, and what else Plot takes. */
  readonly x: PlotOptions["x"];
  readonly marks: (Plot: Plot) => NonNullable<PlotOptions["marks"]>;
  /** Lines below it: what it is of. */
  readonly facts: readonly string[];
  /** Pixels of the whole, without the facts. */
  readonly width: number;
  readonly height: number;
  /** Pixels that names have, left of the frame. */
  readonly room: number;
}

/** SVG text of it. */
export async function rowChart(
  { title, subtitle, ariaLabel, names, x, marks, facts, width, height, room }: RowChart,
): Promise<string> {
  const Plot = await loadPlot();
  const document = await makeDocument();
  const dx = 10 - room;
  const below = notes(facts, { width, dx, below: 40 });
  const element = Plot.plot({
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width,
    height: height + below.room,
    marginTop: 48,
    marginLeft: room,
    marginBottom: 44 + below.room,
    marginRight: 24,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel,
    x: { grid: true, labelAnchor: "center", labelArrow: "none", labelOffset: 36, ...x },
    y: { domain: names, label: null, tickSize: 0 },
    marks: [
      ...marks(Plot),
      ...heading(Plot, { title, subtitle, dx, dy: [-38, -20] }),
      ...below.marks(Plot),
    ],
  });
  return svgText(element, { document });
}
