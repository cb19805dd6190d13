/** The picture of a study of codecs. @module */
import { heading } from "../../timeline/chart/heading.ts";
import { PAGE } from "../../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../../timeline/chart/plot.ts";
import { applyTheme, onPaper } from "../../timeline/chart/theme.ts";
import type { CodecStudyRow } from "./row.ts";

const BLUE = "#0072b2";
const RED = "#d55e00";
/** An error of 0, which has no place on a logarithmic axis, is drawn this many times below the least. */
const BELOW = 4;

/** Orders of magnitude between errors whose labels would lie on each other. */
const NEAR = 0.13;
const LABEL = { x: "ms", y: "error", text: "label", fontSize: 11, fill: PAGE.ink } as const;

/** Codecs that no other one beats in both time and error. */
export function paretoFront(rows: readonly CodecStudyRow[]): CodecStudyRow[] {
  const sorted = rows.toSorted((a, b) => a.makespan - b.makespan || a.output.rmse - b.output.rmse);
  const front: CodecStudyRow[] = [];
  for (const row of sorted) {
    if (row.output.rmse < (front.at(-1)?.output.rmse ?? Infinity)) front.push(row);
  }
  return front;
}

/** SVG text: error of the output over the time of both passes, and the line of those that no other one beats. */
export async function accuracySvg(rows: readonly CodecStudyRow[]): Promise<string> {
  const [Plot, document] = [await loadPlot(), await makeDocument()];
  const least = Math.min(...rows.map(({ output }) => output.rmse).filter((rmse) => rmse > 0), 1);
  const front = paretoFront(rows);
  const points = rows.map((row) => ({
    ...row,
    ms: 1e3 * row.makespan,
    error: row.output.rmse > 0 ? row.output.rmse : least / BELOW,
    label: `${row.codec} (${Number(row.bits.toFixed(2))})${row.output.rmse > 0 ? "" : ", exact"}`,
    best: front.includes(row),
  }));
  // of two with about the same error the label of the faster one goes to its left
  const close = (a: number, b: number) => Math.abs(Math.log10(a / b)) < NEAR;
  const left = points.filter((a) => points.some((b) => b.ms > a.ms && close(a.error, b.error)));
  const labels = (which: typeof points, textAnchor: "start" | "end", dx: number) =>
    Plot.text(which, { ...LABEL, textAnchor, dx });
  const times = points.map(({ ms }) => ms);
  const best = points.filter((point) => point.best).toSorted((a, b) => a.ms - b.ms);
  const element = Plot.plot({
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: 760,
    height: 440,
    marginTop: 64,
    marginLeft: 110,
    marginBottom: 48,
    marginRight: 110,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Error against time",
    x: {
      type: "log",
      domain: [Math.min(...times) / 1.1, Math.max(...times) * 1.1],
      label: "forward and backward pass (ms)",
      labelAnchor: "center",
      labelArrow: "none",
    },
    y: { type: "log", label: null, grid: true, ticks: 5, tickFormat: (v: number) => `${v}` },
    marks: [
      Plot.line(best, { x: "ms", y: "error", stroke: RED, strokeWidth: 1.5, curve: "step-after" }),
      Plot.dot(points, { x: "ms", y: "error", r: 4, fill: (d) => d.best ? RED : BLUE }),
      labels(points.filter((point) => !left.includes(point)), "start", 8),
      labels(left, "end", -8),
      ...heading(Plot, {
        title: "Error of the output against time",
        subtitle:
          "relative root mean square; bits a value in brackets; red: no other codec is faster and closer",
        dx: -90,
        dy: [-50, -30],
      }),
    ],
  });
  element.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  onPaper(element, document);
  applyTheme(element, "auto", document);
  return element.outerHTML;
}
