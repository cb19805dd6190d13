/** The chart of the paper's tables. @module */
import {
  aNumber,
  anything,
  aText,
  aTopology,
  expect,
  listOf,
  record,
} from "../../arguments/mod.ts";
import { heading } from "../../timeline/chart/heading.ts";
import { worldText } from "../../timeline/chart/facts.ts";
import { notes } from "../../timeline/chart/notes.ts";
import { PAGE } from "../../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../../timeline/chart/plot.ts";
import { svgText } from "../../timeline/chart/theme.ts";
import { testbed } from "../../testbeds/mod.ts";
import type { Topology } from "../../types.ts";
import type { PaperRow } from "./tables.ts";

const PAPER_SVG_ROWS = listOf(
  record("a row of paperTables", {
    table: anything,
    workload: aText,
    method: aText,
    error: aNumber,
  }),
  "rows of paperTables",
);

const WIDTH = 760;
const ROW = 22;
const BLUE = "#0072b2";
const RED = "#d55e00";

/**
 * SVG text: errors of every entry, as predicted, and with the all-to-alls that table 1 measured.
 * @param topology what the rows were predicted for; default ScheMoE's testbed, as of `paperTables`.
 */
export async function paperSvg(
  rows: readonly PaperRow[],
  topology: Topology = testbed("2080ti-ib100").topology,
): Promise<string> {
  expect("paperSvg", "rows", rows, PAPER_SVG_ROWS);
  expect("paperSvg", "topology", topology, aTopology);
  const Plot = await loadPlot();
  const document = await makeDocument();
  const shown = rows.map(({ table, workload, method, what, error, explainedError }) => ({
    name: `${table}: ${workload}, ${method}${what === "step" ? "" : `, ${what}`}`,
    predicted: 100 * error,
    explained: 100 * explainedError,
  }));
  const below = notes([worldText(topology, "simulated")], { width: WIDTH, dx: -230, below: 40 });
  const element = Plot.plot({
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: WIDTH,
    height: 100 + ROW * shown.length + below.room,
    marginTop: 48,
    marginLeft: 240,
    marginBottom: 44 + below.room,
    marginRight: 24,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Errors of the paper's tables",
    x: {
      nice: true,
      grid: true,
      label: "predicted over measured, less 1 (%)",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 36,
    },
    y: { domain: shown.map(({ name }) => name), label: null, tickSize: 0 },
    marks: [
      Plot.ruleX([0], { stroke: PAGE.ink }),
      Plot.ruleY(shown, { x1: "predicted", x2: "explained", y: "name", stroke: PAGE.faint }),
      Plot.dot(shown, { x: "predicted", y: "name", r: 4, fill: BLUE }),
      Plot.dot(shown, { x: "explained", y: "name", r: 4, stroke: RED, strokeWidth: 1.5 }),
      ...heading(Plot, {
        title: "The paper's tables, predicted",
        subtitle: "dot: from published alpha and beta alone; circle: with table 1's all-to-alls",
        dx: -230,
        dy: [-38, -20],
      }),
      ...below.marks(Plot),
    ],
  });
  return svgText(element, { document });
}
