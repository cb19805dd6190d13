/** @module */
import { table } from "arquero";
import { oneRun, type Subject, type Timeline } from "../table/columns.ts";
import { choicesOf, titleOf, worldText } from "../chart/facts.ts";
import { barKind, communicates, kindStyle } from "../chart/palette.ts";
import { type Picture, picture } from "../chart/picture.ts";
import { followPath, type PathStep } from "../measures/critical_path.ts";
import { verdict } from "../measures/verdict.ts";
import { formatTime } from "../table/format.ts";
import { groupBy, operationsOf } from "../table/operations.ts";
import { type Timed, timed, worldOf } from "../table/subject.ts";
import { type Change, waterfall } from "./waterfall.ts";

/** Why one run takes longer than another. */
export interface Difference extends Picture {
  /** The same, task by task, largest change first: `pass`, `name`, `first_ns`, `second_ns`, `change_ns`, `how`. */
  readonly tasks: Timeline;
}

/** A part of the critical path of one run. */
interface Part {
  /** Kind and lane, or that it is a gap. */
  readonly group: string;
  readonly fill: string;
  /** Pass and name of the task; of a gap that it is one. */
  readonly task: string;
  readonly ns: number;
}

const GAPS = "between tasks";
/** Kinds that a picture shows one by one. */
const SHOWN = 12;

/**
 * What makes one run longer or shorter than another: a picture, and a table by kind and lane with `what`,
 * `first_ns`, `second_ns` (time on the critical path of either run) and `change_ns`, largest first.
 *
 * The steps of a critical path and the gaps between them add up to the makespan, so that the changes add up
 * to the difference of the two makespans. `tasks` has the same task by task; `how` says whether a task is on
 * both paths (`longer`, `shorter`, `equal`), `came onto the path` or `left the path`. Runs with other chunks
 * or another all-to-all have other tasks: the table by kind compares these as well.
 *
 * ```ts
 * import { difference } from "@schemoe/lab/timeline";
 * import { createLayer, openEngine } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 8, hiddenDim: 16, experts: 4 });
 * const [first, second] = [await layer.forward(), await layer.forward({ chunks: 2, scheduler: "optSche" })];
 * const changes = difference(first, second).table.array("change_ns") as number[];
 * const sum = changes.reduce((a, b) => a + b) * 1e-9;
 * console.assert(Math.abs(sum - (second.makespan - first.makespan)) < 1e-15);
 * ```
 * @throws {SchemoeError} when one is no run, a column is missing, or a timeline holds several runs.
 */
export function difference(first: Subject, second: Subject): Difference {
  const runs = [first, second].map((run, i) =>
    timed(run, `show the difference: the ${i ? "second" : "first"} one is no run`)
  );
  const sides = runs.map(({ timeline }) => partsOf(timeline));
  const groups = changes(sides, ({ group }) => group);
  const tasks = changes(sides, ({ task }) => task);
  const [before, after] = sides.map((parts) => parts.reduce((sum, { ns }) => sum + ns, 0));
  const samePass = new Set(runs.map(({ pass }) => pass)).size === 1;
  const names = runs.map((run, i) =>
    ((samePass ? run.name : titleOf(run)) ?? oneRun(run)) || `run ${i + 1}`
  );
  const bars = [...groups.slice(0, SHOWN), ...rest(groups.slice(SHOWN))];
  const made = picture({
    doing: "show the difference",
    label: "Difference of two runs",
    title: `${names[1]} against ${names[0]}`,
    lines: runs.flatMap((run, i) => linesOf(run, i ? "second" : "first", i ? runs[0] : undefined)),
    summary: summaryOf(after - before, groups),
    table: table({
      what: groups.map(({ what }) => what),
      first_ns: Float64Array.from(groups, (change) => change.first),
      second_ns: Float64Array.from(groups, (change) => change.second),
      change_ns: Float64Array.from(groups, ({ change }) => change),
    }),
    note: "times on the critical path, which add up to the makespan",
    draw: (space) => waterfall({ before, after, names, changes: bars }, space),
  });
  return {
    ...made,
    tasks: table({
      pass: tasks.map(({ what }) => what === GAPS ? null : what.slice(0, what.indexOf(" "))),
      name: tasks.map(({ what }) => what === GAPS ? what : what.slice(what.indexOf(" ") + 1)),
      first_ns: Float64Array.from(tasks, (change) => change.first),
      second_ns: Float64Array.from(tasks, (change) => change.second),
      change_ns: Float64Array.from(tasks, ({ change }) => change),
      how: tasks.map(howOf),
    }),
  };
}

function partsOf(timeline: Timeline): Part[] {
  return followPath(operationsOf(timeline)).steps.flatMap((step: PathStep) => {
    const { operation: { kind, label, lane, pass, name }, begin, end, gap } = step;
    const bar = barKind(kind, label);
    const { name: what, fill } = kindStyle(bar);
    const group = communicates(bar) ? `${what} (${lane})` : what;
    return [
      ...(gap > 0 ? [{ group: GAPS, task: GAPS, fill: kindStyle("opaque").fill, ns: gap }] : []),
      { group, fill, task: `${pass} ${name}`, ns: end - begin },
    ];
  });
}

/** Both sides by a key, the largest change first. */
function changes(sides: readonly Part[][], key: (part: Part) => string): Change[] {
  const groups = sides.map((parts) => groupBy(parts, key));
  const all = [...new Set(groups.flatMap((group) => [...group.keys()]))];
  return all.map((what): Change => {
    const lists = groups.map((group) => group.get(what) ?? []);
    const [first, second] = lists.map((list) => list.reduce((sum, { ns }) => sum + ns, 0));
    const fill = lists.flat()[0].fill;
    return { what, first, second, change: second - first, fill };
  }).toSorted((a, b) => Math.abs(b.change) - Math.abs(a.change) || (a.what < b.what ? -1 : 1));
}

/** What is too small to be shown one by one. */
function rest(list: readonly Change[]): Change[] {
  if (list.length === 0) return [];
  const sum = (of: (change: Change) => number) => list.reduce((total, c) => total + of(c), 0);
  const [first, second] = [sum((c) => c.first), sum((c) => c.second)];
  const what = `${list.length} others`;
  return [{ what, first, second, change: second - first, fill: kindStyle("opaque").fill }];
}

function howOf({ what, first, second, change }: Change): string {
  if (what === GAPS) return "";
  if (first === 0) return "came onto the path";
  if (second === 0) return "left the path";
  const small = 1e-6 * Math.max(first, second);
  return change > small ? "longer" : change < -small ? "shorter" : "equal";
}

function linesOf(run: Timed, which: string, other: Timed | undefined): string[] {
  const worldLine = (of: Timed | undefined) => {
    const world = of && worldOf(of);
    return world ? worldText(world, `${of!.configuration?.engine ?? ""}`) : "";
  };
  const world = worldLine(run);
  return [
    `${which}: ${choicesOf(run)}`,
    ...(world && world !== worldLine(other) ? [world] : []),
    verdict(run),
  ];
}

function summaryOf(total: number, groups: readonly Change[]): string {
  const signed = ({ what, change }: Change) =>
    `${what} ${change < 0 ? "−" : "+"}${formatTime(Math.abs(change))}`;
  const all = total === 0
    ? "Both take equally long"
    : `The second run takes ${formatTime(Math.abs(total))} ${total < 0 ? "less" : "more"}`;
  const told = groups.filter(({ change }) => change !== 0).slice(0, 3).map(signed);
  return told.length > 0 ? `${all}; on the critical path: ${told.join(", ")}.` : `${all}.`;
}
