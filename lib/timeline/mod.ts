/**
 * What a run looks like: its timeline, measures of it, and its Gantt chart.
 *
 * ```ts
 * import { fromCSV, makespan, verdict } from "./mod.ts";
 *
 * const timeline = fromCSV(
 *   `run,pass,rank,node,lane,kind,chunk,name,label,ready_ns,start_ns,end_ns,wait_ns,bytes,flops,deps
 * demo,forward,0,0,compute,expert,0,E[0],E,0,0,1000000,0,0,0,
 * demo,forward,0,0,inter,allToAll,0,A2[0],A2,1000000,1000000,1500000,0,4096,0,E[0]
 * `,
 * );
 * makespan(timeline); // 1500000 ns
 * verdict({ timeline }); // makespan 1.50 ms · 0 % of communication hidden
 * ```
 *
 * Measures are pure functions of the table. Drawing loads Observable Plot when it is first asked
 * for; nothing else in this module does.
 * @module
 */
export { busBandwidth } from "./bandwidth.ts";
export { busy } from "./busy.ts";
export { type Timeline, TIMELINE_COLUMNS, type TimelineColumn } from "./columns.ts";
export { type Communication, communication, hiddenFraction } from "./communication.ts";
export { compare, type Compared, type Comparison } from "./compare.ts";
export { criticalPath } from "./critical_path.ts";
export { display, type Displayable, displayable, escapeHtml, type MediaBundle } from "./display.ts";
export { sendBundle, settled, type Shown } from "./display.ts";
export { explain, type Explained, type Explanation } from "./explain.ts";
export { exposure } from "./exposure.ts";
export { fromArrow, fromCSV, toArrow, toCSV } from "./export.ts";
export { formatBytes, formatPercent, formatRate, formatTime } from "./format.ts";
export {
  gantt,
  type GanttElement,
  ganttForms,
  ganttHtml,
  type GanttOptions,
  ganttSvg,
} from "./gantt.ts";
export { idle } from "./idle.ts";
export { expertWork, type Imbalance, imbalance } from "./imbalance.ts";
export { loadRun, SavedRun } from "./load.ts";
export { makespan } from "./makespan.ts";
export { overlap } from "./overlap.ts";
export { ganttPng, type PngOptions, svgToPng } from "./png.ts";
export { predictedVsMeasured, type Prediction } from "./prediction.ts";
export { fromParquet, toParquet } from "./parquet.ts";
export { type Progress, progress, type ProgressSink } from "./progress.ts";
export { type Machine, type SavableRun, saveRun, type Versions } from "./save.ts";
export { show, type ShowOptions } from "./show.ts";
export { ShownRun } from "./shown_run.ts";
export { stragglers } from "./stragglers.ts";
export { concatTimelines, makeTimeline, type RunName } from "./timeline.ts";
export { chromeTrace, type ChromeTraceOptions } from "./trace_export.ts";
export { chromeTraceGzip, writeChromeTrace } from "./trace_file.ts";
export { fromChromeTrace, readChromeTrace, type TraceImportOptions } from "./trace_import.ts";
export { verdict, type VerdictOptions } from "./verdict.ts";
