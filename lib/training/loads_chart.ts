/** The chart of the loads of experts over steps. @module */
import { heading } from "../timeline/chart/heading.ts";
import { notes } from "../timeline/chart/notes.ts";
import { PAGE } from "../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../timeline/chart/plot.ts";
import { svgText } from "../timeline/chart/theme.ts";
import type { StepRow } from "./step_row.ts";

/** Columns at most: each is the mean of some steps. */
const COLUMNS = 120;
/** Load over the mean at which the colours end. */
const MOST = 2;
const EXPERT_HEIGHT = 10;
const WIDTH = 720;

/** One cell: load of an expert over the mean of its layer. */
export interface LoadCell {
  readonly layer: string;
  readonly from: number;
  readonly to: number;
  readonly expert: number;
  readonly load: number;
}

/** Cells of all layers and experts; steps in at most 120 groups. */
export function loadCells(steps: readonly StepRow[]): LoadCell[] {
  const layers = steps[0]?.loads.length ?? 0;
  const groups = Math.min(COLUMNS, steps.length);
  const cells: LoadCell[] = [];
  for (let group = 0; group < groups; group++) {
    const first = Math.floor(steps.length * group / groups);
    const end = Math.floor(steps.length * (group + 1) / groups);
    const part = steps.slice(first, end);
    for (let layer = 0; layer < layers; layer++) {
      const experts = part[0].loads[layer].length;
      const sums = Array.from(
        { length: experts },
        (_, expert) => part.reduce((sum, { loads }) => sum + loads[layer][expert], 0),
      );
      const mean = sums.reduce((a, b) => a + b, 0) / experts;
      const [from, to] = [part[0].step, part.at(-1)!.step + 1];
      for (const [expert, sum] of sums.entries()) {
        const load = mean > 0 ? sum / mean : 0;
        cells.push({ layer: `layer ${layer}`, from, to, expert, load });
      }
    }
  }
  return cells;
}

/** SVG text of a heat map for each layer: steps to the right, experts downwards; below it, facts on what was trained. */
export async function loadsSvg(
  title: string,
  steps: readonly StepRow[],
  facts: readonly string[],
): Promise<string> {
  const Plot = await loadPlot();
  const document = await makeDocument();
  const cells = loadCells(steps);
  const layers = [...new Set(cells.map(({ layer }) => layer))];
  const experts = 1 + cells.reduce((most, { expert }) => Math.max(most, expert), 0);
  const height = Math.max(40, EXPERT_HEIGHT * experts);
  const below = notes(facts, { width: WIDTH, dx: -30, below: 38, facet: "super" });
  const element = Plot.plot({
    // Plot's types want a browser's Document and use but createElementNS and documentElement
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: WIDTH,
    height: 100 + (height + 8) * layers.length + below.room,
    marginTop: 56,
    marginLeft: 40,
    marginBottom: 40 + below.room,
    marginRight: 64,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Loads of experts",
    fy: { domain: layers, label: null, padding: 8 / (height + 8) },
    x: { label: "step", labelAnchor: "center", labelArrow: "none", labelOffset: 34 },
    y: { label: null, reverse: true, domain: [0, experts], ticks: [] },
    color: { type: "diverging", scheme: "PuOr", domain: [0, MOST], pivot: 1, clamp: true },
    marks: [
      Plot.rect(cells, {
        fy: "layer",
        x1: "from",
        x2: "to",
        y1: "expert",
        fill: "load",
        y2: (cell: LoadCell) => cell.expert + 1,
        inset: 0,
      }),
      ...heading(Plot, {
        title: `${title}: load of each expert over the mean of its layer`,
        subtitle: "0 (violet) · even (white) · twice and more (orange)",
        dx: -30,
        dy: [-44, -24],
        facet: "super",
      }),
      ...below.marks(Plot),
    ],
  });
  return svgText(element, { document });
}
