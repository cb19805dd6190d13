/** The picture of a soak: what the process takes, phase by phase. @module */
import { CURVES, PAGE } from "../../timeline/chart/palette.ts";
import { loadPlot, makeDocument } from "../../timeline/chart/plot.ts";
import type { Soaked } from "./soak.ts";

const MIB = 2 ** 20;
const WIDTH = 860;
const HEIGHT = 132;
const TITLE = 64;

/** One row of the picture each. */
const MEASURES = [
  { of: "resident", title: "resident memory, MiB", unit: MIB },
  { of: "heap", title: "JavaScript heap, MiB", unit: MIB },
  { of: "descriptors", title: "open descriptors", unit: 1 },
  { of: "threads", title: "threads", unit: 1 },
] as const;

/** How many of what a phase does. */
const nameOf = ({ name, count }: Soaked): string => `${count.toLocaleString("en")} ${name}`;

/** SVG text: one row for each measure, one column for each phase; each axis begins at 0. */
export async function soakSvg(title: string, phases: readonly Soaked[]): Promise<string> {
  const Plot = await loadPlot();
  const rows: string[] = [];
  for (const [i, { of, title: name, unit }] of MEASURES.entries()) {
    const points = phases.flatMap((phase) =>
      phase.usage.map((usage) => ({
        phase: nameOf(phase),
        done: 100 * usage.done,
        value: usage[of] / unit,
      }))
    );
    const most = points.reduce((largest, { value }) => Math.max(largest, value), 1);
    const first = i === 0;
    const last = i === MEASURES.length - 1;
    const element = Plot.plot({
      // Plot's types want a browser's Document and use but createElementNS and documentElement
      // deno-lint-ignore no-explicit-any
      document: await makeDocument() as any,
      width: WIDTH,
      height: HEIGHT,
      marginTop: 38,
      marginLeft: 60,
      marginRight: 24,
      marginBottom: 24,
      style: { fontFamily: "system-ui, sans-serif", color: PAGE.ink, background: PAGE.paper },
      ariaLabel: name,
      fx: { domain: phases.map(nameOf), label: null, axis: first ? "top" : null, padding: 0.14 },
      x: {
        domain: [0, 100],
        label: null,
        ticks: [0, 50, 100],
        tickFormat: (value: number) => last ? `${value}${value === 100 ? " %" : ""}` : "",
      },
      y: { domain: [0, 1.15 * most], label: null, grid: true, ticks: 3 },
      marks: [
        Plot.lineY(points, {
          fx: "phase",
          x: "done",
          y: "value",
          stroke: CURVES[i],
          strokeWidth: 1.5,
        }),
        Plot.text([name], {
          facet: "super",
          frameAnchor: "top-left",
          dx: -52,
          dy: -28,
          fontSize: 11,
          textAnchor: "start",
          fill: PAGE.faint,
          text: (d: string) => d,
        }),
      ],
    });
    element.setAttribute("y", String(TITLE + HEIGHT * i));
    rows.push(element.outerHTML);
  }
  const height = TITLE + HEIGHT * MEASURES.length;
  const text = (y: number, style: string, of: string) =>
    `<text x="8" y="${y}" font-family="system-ui, sans-serif" ${style}>${of}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">` +
    `<rect width="100%" height="100%" fill="${PAGE.paper}"/>` +
    text(24, `font-size="14" font-weight="bold" fill="${PAGE.ink}"`, title) +
    text(
      42,
      `font-size="11" fill="${PAGE.faint}"`,
      "CPU engine, 2 ranks; after a garbage collection each time; x: percent of each phase done",
    ) + rows.join("") + "</svg>";
}
