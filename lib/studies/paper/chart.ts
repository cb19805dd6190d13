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
import { worldText } from "../../timeline/chart/facts.ts";
import { BLUE, PAGE, RED } from "../../timeline/chart/palette.ts";
import { rowChart } from "../../timeline/chart/row_chart.ts";
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
  const shown = rows.map(({ table, workload, method, what, error, explainedError }) => ({
    name: `${table}: ${workload}, ${method}${what === "step" ? "" : `, ${what}`}`,
    predicted: 100 * error,
    explained: 100 * explainedError,
  }));
  return await rowChart({
    title: "The paper's tables, predicted",
    subtitle: "dot: from published alpha and beta alone; circle: with table 1's all-to-alls",
    ariaLabel: "Errors of the paper's tables",
    names: shown.map(({ name }) => name),
    x: { nice: true, label: "predicted over measured, less 1 (%)" },
    marks: (Plot) => [
      Plot.ruleX([0], { stroke: PAGE.ink }),
      Plot.ruleY(shown, { x1: "predicted", x2: "explained", y: "name", stroke: PAGE.faint }),
      Plot.dot(shown, { x: "predicted", y: "name", r: 4, fill: BLUE }),
      Plot.dot(shown, { x: "explained", y: "name", r: 4, stroke: RED, strokeWidth: 1.5 }),
    ],
    facts: [worldText(topology, "simulated")],
    width: WIDTH,
    height: 100 + ROW * shown.length,
    room: 240,
  });
}
