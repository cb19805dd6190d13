/**
 * What a run says of itself, whether it just ran or was loaded.
 * @module
 */
import type { Timeline } from "../table/columns.ts";
import { displayable, escapeHtml, type MediaBundle } from "./display.ts";
import { ganttForms, type GanttOptions, ganttSvg } from "./gantt.ts";
import { makespan } from "../measures/makespan.ts";
import { verdict } from "../measures/verdict.ts";

const DISPLAY = Symbol.for("Jupyter.display");

/** As a cell's last value it shows its Gantt chart and its verdict. */
export abstract class ShownRun {
  abstract readonly name: string;
  abstract readonly configuration: Readonly<Record<string, string | number | boolean>>;
  /** One row for each operation; see `makeTimeline`. */
  abstract readonly timeline: Timeline;
  /** Seconds below which no schedule of this graph can come; undefined when it was not asked for. */
  abstract readonly bound: number | undefined;
  /** What makes the bound: a lane, a processor, or the longest chain. */
  abstract readonly boundLimit: string | undefined;

  /** Seconds from the first operation's start to the last one's end. */
  get makespan(): number {
    return makespan(this.timeline) * 1e-9;
  }

  /** One line: makespan, hidden communication, distance to the bound. */
  get verdict(): string {
    return verdict({ timeline: this.timeline, bound: this.bound, boundName: this.boundLimit });
  }

  /** What was run, in one line. */
  get caption(): string {
    return Object.entries(this.configuration).map(([key, value]) => `${key} ${value}`).join(" · ");
  }

  /** Gantt chart as SVG text. */
  gantt(options: GanttOptions = {}): Promise<string> {
    return ganttSvg(this.timeline, { title: this.name, ...options });
  }

  async [DISPLAY](): Promise<MediaBundle> {
    const text = `${this.verdict}\n${this.caption}`;
    const { svg, html: chart } = await ganttForms(this.timeline, { title: this.name });
    const html = `<div>${chart}<div>${escapeHtml(this.verdict)}</div>` +
      `<div>${escapeHtml(this.caption)}</div></div>`;
    return await displayable({ text, svg, html })[DISPLAY]();
  }
}
