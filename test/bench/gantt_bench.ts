/**
 * Time to draw Gantt charts of forward passes, Plot already loaded: `deno bench -A test/bench/`.
 * @module
 */
import { explain } from "../../lib/timeline/measures/explain.ts";
import { ganttHtml, ganttSvg } from "../../lib/timeline/chart/gantt.ts";
import { forwardTimeline } from "../timeline/fixture.ts";

for (const chunks of [13, 68]) {
  const timeline = forwardTimeline({ nodes: 2, ranksPerNode: 4, chunks });
  const group = `${timeline.numRows()} tasks, 8 ranks`;
  Deno.bench({ name: "SVG of all ranks", group, baseline: true }, async () => {
    await ganttSvg(timeline, { fold: false });
  });
  Deno.bench({ name: "SVG, equal ranks folded", group }, async () => {
    await ganttSvg(timeline);
  });
  Deno.bench({ name: "HTML that zooms, critical path", group }, async () => {
    await ganttHtml(timeline, { fold: false, criticalPath: true });
  });
  Deno.bench({ name: "explain", group }, () => void explain(timeline));
}
