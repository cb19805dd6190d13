/**
 * What measures and pictures are made of: a table, or a run that has one.
 * @module
 */
import type { ColumnTable } from "arquero";
import type { EventTable, Program } from "../../engine.ts";
import { SchemoeError, type Topology } from "../../types.ts";

/** An Arquero table with the columns of `TIMELINE_COLUMNS`. */
export type Timeline = ColumnTable;

/** Anything with a timeline: a run of a layer or a stack, a loaded one, an object made by hand. */
export interface Timed {
  /** One row for each operation; `makeTimeline` says which columns. */
  readonly timeline: Timeline;
  /** What charts and tables call it. */
  readonly name?: string;
  /** `forward`, `backward` or `step`. */
  readonly pass?: string;
  /** Choices, sizes and engine, for captions. */
  readonly configuration?: Readonly<Record<string, string | number | boolean>>;
  /** Lower bound of the makespan in seconds, and what makes it. */
  readonly bound?: number;
  /** What makes the bound: a lane, a processor, or the longest chain. */
  readonly boundLimit?: string;
  /** Seconds up to which a bound of measured times could be, by their spread. */
  readonly boundMost?: number;
  /** World in which it ran. */
  readonly topology?: Topology;
  /** Makespans in seconds where the pass ran several times; the timeline is that of the median. */
  readonly repeats?: readonly number[];
  /** Programs that ran: they know the topology. */
  readonly ran?: readonly {
    readonly program: { readonly graph: { readonly topology: Topology } };
  }[];
}

/** What every function takes that asks for a timeline: the table, or a run. */
export type Subject = Timeline | Timed;

/** @throws {SchemoeError} for the promise of a run instead of the run. */
export function refusePromise(given: unknown, doing: string): void {
  if (!(given instanceof Promise)) return;
  throw new SchemoeError(`Cannot ${doing}: got a Promise; write "await" before the run`);
}

/** The run that was given; of a timeline alone, one without anything but the table. */
export function timed(subject: Subject, doing = "read the timeline"): Timed {
  if (isTable(subject)) return { timeline: subject };
  const given = subject as Partial<Timed> | undefined;
  refusePromise(given, doing);
  if (Object(given) === given && isTable(given!.timeline)) return given as Timed;
  throw new SchemoeError(
    `Cannot ${doing}: give a run or a timeline`,
  );
}

/**
 * A run under another name, and with a pass; its getters would not come along if it were spread.
 */
export function renamed<Pass extends string | undefined>(
  run: Timed,
  as: { readonly name: string; readonly pass: Pass },
): Timed & { readonly name: string; readonly pass: Pass } {
  const { timeline, configuration, bound, boundLimit, boundMost, topology, repeats, ran } = run;
  return {
    ...as,
    timeline,
    configuration,
    bound,
    boundLimit,
    boundMost,
    topology,
    repeats,
    ran,
  };
}

/** The table of a run or timeline. */
export const timelineOf = (subject: Subject, doing?: string): Timeline =>
  isTable(subject) ? subject : timed(subject, doing).timeline;

/** Where it ran, undefined where nothing says so. */
export const worldOf = ({ topology, ran }: Timed): Topology | undefined =>
  topology ?? ran?.at(-1)?.program.graph.topology;

/** A Program with the times of its operations. */
export interface RanOrder {
  readonly program: Program;
  readonly events: EventTable;
}

/** Programs of a run with their times; undefined for a table and for a run that was loaded. */
export function programsOf({ ran }: Timed): readonly RanOrder[] | undefined {
  const found = ran as readonly Partial<RanOrder>[] | undefined;
  const whole = found?.every(({ program, events }) => program?.order && events);
  return whole ? found as readonly RanOrder[] : undefined;
}

/** Whether a value is an Arquero table. */
export const isTable = (value: unknown): value is Timeline =>
  typeof (value as Timeline | undefined)?.column === "function" &&
  typeof (value as Timeline).indices === "function";
