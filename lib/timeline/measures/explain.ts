/** @module */
import { table } from "arquero";
import { advice, type Share } from "./advice.ts";
import { isCommunication, type Timeline } from "../table/columns.ts";
import { type Subject, type Timed, timed } from "../table/subject.ts";
import { followPath, type PathStep } from "./critical_path.ts";
import { disturbance, disturbedSentence } from "./disturbance.ts";
import { type Displayable, displayable, escapeHtml } from "../chart/display.ts";
import { type Exposure, exposure, exposuresOf } from "./exposure.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import { groupBy, operationsOf } from "../table/operations.ts";
import { kindStyle } from "../chart/palette.ts";
import { showHtml, showText } from "../chart/show.ts";

/** Why a run takes as long as it does. */
export interface Explanation extends Displayable {
  /** The explanation, a sentence each, the most important first. */
  readonly sentences: readonly string[];
  /** Where the critical path spends the makespan: `what`, `lane`, `time_ns` and `share`. */
  readonly path: Timeline;
  /** See `exposure`. */
  readonly exposed: Timeline;
  /** The sentences and the rows of both tables, as lines of text. */
  toString(): string;
}

/** Rows of each table that are shown. */
const SHOWN = 6;

/**
 * Says in a few sentences and two tables what bounds a run, which exposed communication costs most and
 * what that waits for, and what would have to change for the run to be shorter. A run that something
 * else held up (see `disturbance`) is said to be that, first, and no advice is drawn from it.
 *
 * ```ts
 * import { createLayer, openEngine, explain } from "@schemoe/lab";
 * using engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 256, modelDim: 64, hiddenDim: 64, experts: 4 });
 * const { sentences } = explain(await layer.forward());
 * console.assert(sentences.length >= 3);
 * ```
 * @throws {SchemoeError} when it is neither a run nor a timeline, a column is missing, or the timeline
 * holds several runs.
 */
export function explain(run: Subject): Explanation {
  const { timeline, bound, boundLimit, boundMost } = timed(run, "explain");
  const operations = operationsOf(timeline);
  const { steps } = followPath(operations);
  const exposures = exposuresOf(operations);
  const shares = sharesOf(steps);
  const makespan = operations.end - operations.begin;
  const disturbed = disturbance(timeline);
  const sentences = operations.all.length === 0 ? ["Nothing ran."] : [
    ...(disturbed ? [disturbedSentence(disturbed)] : []),
    whatBounds(shares, makespan, disturbed !== undefined),
    ...(bound === undefined || disturbed
      ? []
      : [distance(makespan, { bound, boundLimit, boundMost })]),
    whatIsExposed(exposures, operations.all.some(({ kind }) => isCommunication(kind)), makespan),
    // advice would be drawn from what held the run up
    ...(disturbed ? [] : advice({ timeline, operations, shares, exposures, bound })),
  ];
  const path = table({
    what: shares.map(({ what }) => what),
    lane: shares.map(({ lane }) => lane),
    time_ns: Float64Array.from(shares, ({ ns }) => ns),
    share: shares.map(({ ns }) => ns / makespan || 0),
  });
  const exposed = exposure(timeline);
  const percent = path.assign(
    table({ share: shares.map(({ ns }) => formatPercent(ns / makespan || 0)) }),
  );
  const tables = [{ title: "Where the critical path spends the time", of: percent }];
  if (exposures.length > 0) {
    tables.push({ title: "Exposed communication (mean over ranks)", of: exposed });
  }
  const text = [
    ...sentences,
    ...tables.map(({ title, of }) => `\n${title}\n${showText(of, { limit: SHOWN })}`),
  ].join("\n");
  const html = sentences.map((sentence) => `<p style="margin:4px 0">${escapeHtml(sentence)}</p>`)
    .concat(
      tables.map(({ title, of }) =>
        `<p style="margin:10px 0 0"><b>${title}</b></p>${showHtml(of, { limit: SHOWN })}`
      ),
    ).join("");
  return {
    ...displayable({ text, html: `<div>${html}</div>` }),
    sentences,
    path,
    exposed,
    toString: () => text,
  };
}

/** Time of the critical path by kind and lane, largest first. */
function sharesOf(steps: readonly PathStep[]): Share[] {
  const shares = [...groupBy(steps, ({ operation: { kind, lane } }) => `${kind} ${lane}`).values()]
    .map((list): Share => {
      const { kind, lane } = list[0].operation;
      const ns = list.reduce((sum, { begin, end }) => sum + end - begin, 0);
      return { what: kindStyle(kind).name, lane, communication: isCommunication(kind), ns };
    });
  const gap = steps.reduce((sum, step) => sum + step.gap, 0);
  if (gap > 0) shares.push({ what: "between tasks", lane: "", communication: false, ns: gap });
  return shares.toSorted((a, b) => b.ns - a.ns);
}

function whatBounds(shares: readonly Share[], makespan: number, disturbed: boolean): string {
  const sum = (list: readonly Share[]) => list.reduce((total, { ns }) => total + ns, 0);
  const parts = shares.slice(0, 3).map(({ what, lane, communication, ns }) =>
    `${formatPercent(ns / makespan || 0)} ${what}${communication ? ` (${lane} lane)` : ""}`
  );
  if (disturbed) {
    return `It took ${formatTime(makespan)}, and its critical path was ${parts.join(", ")}.`;
  }
  const communication = sum(shares.filter((share) => share.communication));
  const gaps = sum(shares.filter(({ lane }) => lane === ""));
  const computation = sum(shares) - communication - gaps;
  const most = Math.max(communication, gaps, computation);
  const [lane] = shares.filter((share) => share.communication);
  const by = most === gaps && gaps > 0
    ? "time between tasks, which nothing in the table explains"
    : most === computation
    ? "computation"
    : `communication, above all on the ${lane.lane} lane`;
  return `The run takes ${formatTime(makespan)} and is bound by ${by}: its critical path is ${
    parts.join(", ")
  }.`;
}

function distance(
  makespan: number,
  { bound, boundLimit: limit, boundMost = 0 }: { bound: number } & Omit<Timed, "timeline">,
): string {
  const above = makespan / (bound * 1e9) - 1;
  const least = `${formatTime(bound * 1e9)}${limit ? ` (${limit})` : ""}`;
  if (Math.abs(above) < 0.01) {
    return `No schedule of these tasks takes less than ${least}, and this one is there.`;
  }
  if (above < 0) {
    return `The bound of ${least} is ${
      formatPercent(-above)
    } above the run: the times it was made of, each measured alone, have changed by at least that much.`;
  }
  if (makespan <= boundMost * 1e9) {
    return `No schedule of these tasks takes less than ${least}; by the spread of the times measured alone that ` +
      `could be up to ${formatTime(boundMost * 1e9)}, so that this one may be there.`;
  }
  return `No schedule of these tasks takes less than ${least}; this one takes ${
    formatPercent(above)
  } more, so that another order can win at most ${formatTime(makespan - bound * 1e9)}.`;
}

function whatIsExposed(
  exposures: readonly Exposure[],
  communicates: boolean,
  makespan: number,
): string {
  if (!communicates) return "There is no communication, so that there is nothing to hide.";
  const sum = exposures.reduce((total, { mean }) => total + mean, 0);
  const [top] = exposures;
  if (!top || sum < 0.001 * makespan) return "All communication is hidden behind computation.";
  const next = top.holdsUp ? `, and ${top.holdsUp} computes only after it` : "";
  return `Communication is exposed for ${formatTime(sum)} a rank (${
    formatPercent(sum / makespan)
  } of the run). ` +
    `The costliest is ${taskOf(top)}, ${top.lane} lane, ${
      formatTime(top.most)
    } on rank ${top.worst.rank}: ` +
    `it ${top.why}${next}.`;
}

/** `A1 chunk 2`, or the name of a task outside chunks. */
function taskOf({ label, name, chunk }: Exposure): string {
  return chunk === null ? name : `${label} chunk ${chunk}`;
}
