/** Options of Gantt charts. @module */
import type { DocumentLike } from "./plot.ts";
import type { Theme } from "./theme.ts";

/** How a Gantt chart is drawn. */
export interface GanttOptions {
  /** DOM in which it is made; default: a new document of linkedom. */
  readonly document?: DocumentLike;
  /** Pixels; default 960, at least 400. */
  readonly width?: number;
  /** Line at the top; default: the name of the run, and its pass. */
  readonly title?: string;
  /**
   * Smaller lines below it; default: what is known of pass, choices, engine, world and links, and the
   * verdict. Of a timeline without its run these are pass and verdict; `[]` leaves them out.
   */
  readonly lines?: readonly string[];
  /** Colours: those of the page (`auto`, the default), `light` or `dark`. A PNG is light by default. */
  readonly theme?: Theme;
  /** Ranks to show, from top to bottom, one by one; default: all, equal ones folded, at most 64. */
  readonly ranks?: readonly number[];
  /**
   * Ranks whose times differ by no more than this part of the makespan are shown once; default 0.002,
   * false shows each.
   */
  readonly fold?: number | false;
  /** Outlines the critical path and fades everything else; default false. */
  readonly criticalPath?: boolean;
  /** Writes into each gap what its lane waits for, as `idle` finds it; default false. */
  readonly waits?: boolean;
  /** Memory in use below the lanes of each rank, see `memoryOverTime`; default false. */
  readonly memory?: boolean;
}
