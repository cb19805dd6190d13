/** The picture of a study of codecs. @module */
import { heading } from "../../timeline/chart/heading.ts";
import { textWidth } from "../../timeline/chart/layout.ts";
import { notes } from "../../timeline/chart/notes.ts";
import { placeLabels } from "../../timeline/chart/place_labels.ts";
import { BLUE, PAGE, RED } from "../../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../../timeline/chart/plot.ts";
import { svgText } from "../../timeline/chart/theme.ts";
import type { CodecStudyRow } from "./row.ts";

/** An error of 0, which has no place on a logarithmic axis, is drawn this many times below the least. */
const BELOW = 4;

const [WIDTH, HEIGHT] = [760, 440];
const MARGIN_TOP = 64;
const MARGIN_BOTTOM = 48;
const MARGIN_LEFT = 80;
const MARGIN_RIGHT = 24;
/** Pixels between the outermost label and the edge, and between the outermost errors and the edge. */
const AIR = 16;
const EDGE = 18;
const LABEL = {
  x: "ms",
  y: "error",
  text: "label",
  fontSize: 11,
  fill: PAGE.ink,
  stroke: PAGE.paper,
  strokeWidth: 4,
} as const;

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
export async function accuracySvg(
  rows: readonly CodecStudyRow[],
  facts: readonly string[] = [],
): Promise<string> {
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
  const [times, errors] = [points.map(({ ms }) => ms), points.map(({ error }) => error)];
  const best = points.filter((point) => point.best).toSorted((a, b) => a.ms - b.ms);
  // labels need room on either side
  const widths = points.map(({ label }) => textWidth(label, LABEL.fontSize));
  const room = Math.max(...widths) + AIR;
  const frame = {
    width: WIDTH - MARGIN_LEFT - MARGIN_RIGHT,
    height: HEIGHT - MARGIN_TOP - MARGIN_BOTTOM,
  };
  const x = logarithmic(times, frame.width, room);
  const y = logarithmic(errors, frame.height, EDGE);
  const places = placeLabels(
    points.map(({ ms, error, best: left }, i) => ({
      x: x.at(ms),
      y: frame.height - y.at(error),
      width: widths[i],
      height: LABEL.fontSize + 3,
      left, // the line of the best leaves to the right
    })),
  );
  const below = notes(facts, { width: WIDTH, dx: -60, below: 44 });
  const element = Plot.plot({
    // deno-lint-ignore no-explicit-any
    document: document as any,
    width: WIDTH,
    height: HEIGHT + below.room,
    marginTop: MARGIN_TOP,
    marginLeft: MARGIN_LEFT,
    marginBottom: MARGIN_BOTTOM + below.room,
    marginRight: MARGIN_RIGHT,
    style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink },
    ariaLabel: "Error against time",
    x: {
      type: "log",
      domain: x.domain,
      label: "forward and backward pass (ms)",
      labelOffset: 38,
      labelAnchor: "center",
      labelArrow: "none",
    },
    y: {
      type: "log",
      label: null,
      grid: true,
      ticks: 5,
      tickFormat: (v: number) => `${v}`,
      domain: y.domain,
    },
    marks: [
      Plot.line(best, { x: "ms", y: "error", stroke: RED, strokeWidth: 1.5, curve: "step-after" }),
      Plot.dot(points, { x: "ms", y: "error", r: 4, fill: (d) => d.best ? RED : BLUE }),
      ...points.map((point, i) =>
        Plot.text([point], {
          ...LABEL,
          textAnchor: places[i].anchor,
          dx: places[i].dx,
          dy: places[i].dy,
        })
      ),
      ...heading(Plot, {
        title: "Error of the output against time",
        subtitle:
          "error: relative root mean square; bits a value in brackets; red: no other codec is faster and closer",
        dx: -60,
        dy: [-50, -30],
      }),
      ...below.marks(Plot),
    ],
  });
  return svgText(element, { document });
}

/** A logarithmic scale of `pixels` on which the values stay `room` pixels away from both ends. */
function logarithmic(values: readonly number[], pixels: number, room: number) {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  const inner = Math.max(pixels - 2 * room, pixels / 4);
  const perPixel = Math.max(high - low, 0.1) / inner;
  const begin = (low + high) / 2 - perPixel * pixels / 2;
  return {
    domain: [Math.exp(begin), Math.exp(begin + perPixel * pixels)],
    at: (value: number) => (Math.log(value) - begin) / perPixel,
  };
}
