/**
 * Gantt charts that zoom in a page: the SVG, its data, and a script of our own; nothing is fetched.
 * @module
 */
import type { Bars } from "./bars.ts";
import { themedHtml } from "./themed.ts";

/** Data of the script besides the SVG. Times are nanoseconds from the left edge. */
export interface ZoomData {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** Length of the axis, the unit of its ticks and nanoseconds in that. */
  readonly end: number;
  readonly unit: string;
  readonly unitNs: number;
  /** Size of text in bars; 0 for none. */
  readonly fontSize: number;
  readonly bars: Bars;
  /** Begin and end of each box. */
  readonly exposed: readonly number[];
  readonly path: readonly number[];
  readonly links: readonly number[];
  /** Bars that are not on the path. */
  readonly others: readonly number[];
  /** Begin and end of each gap, and what may be written in it. */
  readonly gaps: readonly number[];
  readonly gapTexts: readonly (readonly string[])[];
  /** Begin and end of each box of memory. */
  readonly memory: readonly number[];
}

/**
 * HTML of charts that share a time axis, one below the other, zoomed together. Without its script, as
 * where a page may run none, it shows the charts as they are.
 */
export async function zoomHtml(
  charts: readonly { readonly svg: string; readonly zoom: ZoomData }[],
): Promise<string> {
  const { default: script } = await import("./zoom.js", { with: { type: "text" } });
  const data = JSON.stringify(charts.map(({ zoom }) => packed(zoom)));
  return await themedHtml(
    charts.map(({ svg }) => svg).join("") +
      // "<" would let a name end the script
      `<script type="application/json">${data.replaceAll("<", "\\u003c")}</script>` +
      `<script>${script}</script>`,
    "data-schemoe-gantt",
  );
}

/** Bars as start, end of waiting, end and number of label; each label once. */
function packed({ bars, ...rest }: ZoomData) {
  const numbers = new Map<string, number>();
  const labels: { names: readonly string[]; ink: string }[] = [];
  const flat: number[] = [];
  for (const [i, names] of bars.candidates.entries()) {
    const ink = bars.ink[i];
    const key = JSON.stringify([names, ink]);
    let label = numbers.get(key);
    if (label === undefined) {
      numbers.set(key, label = labels.length);
      labels.push({ names, ink });
    }
    const times = bars.times.subarray(3 * i, 3 * i + 3);
    flat.push(...Array.from(times, Math.round), label);
  }
  return { ...rest, bars: flat, labels };
}
