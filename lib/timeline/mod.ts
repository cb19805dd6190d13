/**
 * Timelines of runs: tables, measures, charts, traces and reports.
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
export { busBandwidth } from "./measures/bandwidth.ts";
export { busy } from "./measures/busy.ts";
export { type Timeline, TIMELINE_COLUMNS, type TimelineColumn } from "./table/columns.ts";
export { type Communication, communication, hiddenFraction } from "./measures/communication.ts";
export { compare, type Comparison } from "./measures/compare.ts";
export { criticalPath } from "./measures/critical_path.ts";
export {
  display,
  type Displayable,
  displayable,
  escapeHtml,
  type MediaBundle,
} from "./chart/display.ts";
export { sendBundle, settled, type Shown } from "./chart/display.ts";
export { type Disturbance, disturbance } from "./measures/disturbance.ts";
export { explain, type Explanation } from "./measures/explain.ts";
export { exposure } from "./measures/exposure.ts";
export { fromCSV, toCSV } from "./table/csv.ts";
export { fromArrow, toArrow } from "./table/export.ts";
export { formatBytes, formatPercent, formatRate, formatTime } from "./table/format.ts";
export {
  gantt,
  type GanttElement,
  ganttForms,
  ganttHtml,
  type GanttOptions,
  ganttSvg,
} from "./chart/gantt.ts";
export { idle } from "./measures/idle.ts";
export { expertWork, type Imbalance, imbalance } from "./measures/imbalance.ts";
export { loadRun, SavedRun } from "./table/load.ts";
export { memoryOverTime } from "./measures/memory.ts";
export { makespan } from "./measures/makespan.ts";
export { overlap } from "./measures/overlap.ts";
export { ganttPng, type PngOptions, svgToPng } from "./chart/png.ts";
export { predictedVsMeasured, type Prediction } from "./measures/prediction.ts";
export { fromParquet, toParquet } from "./table/parquet.ts";
export { type Progress, progress, type ProgressSink } from "./measures/progress.ts";
export { type Machine, saveRun, type Versions } from "./table/save.ts";
export { type Report, report, type ReportOptions } from "./report/report.ts";
export { show, type ShowOptions } from "./chart/show.ts";
export { ShownRun } from "./chart/shown_run.ts";
export { type Subject, type Timed } from "./table/subject.ts";
export { stragglers } from "./measures/stragglers.ts";
export { concatTimelines, makeTimeline, type RunName } from "./table/timeline.ts";
export { chromeTrace, type ChromeTraceOptions } from "./trace/export.ts";
export { chromeTraceGzip, writeChromeTrace } from "./trace/file.ts";
export { fromChromeTrace, readChromeTrace, type TraceImportOptions } from "./trace/import.ts";
export { verdict } from "./measures/verdict.ts";
export type { Picture, PictureOptions } from "./chart/picture.ts";
export { type Difference, difference } from "./views/difference.ts";
export { type Peaks, roofline } from "./views/roofline.ts";
export { skew } from "./views/skew.ts";
export { type StepCounts, type TokenCounts, tokenMap } from "./views/token_map.ts";
export type { DocumentLike } from "./chart/plot.ts";
export type { Theme } from "./chart/theme.ts";
export type { KernelNames } from "./trace/foreign.ts";
export type { RunFile } from "./table/save.ts";
