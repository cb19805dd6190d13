/** A waterfall: from one makespan to another, change by change. @module */
import { textWidth } from "../chart/layout.ts";
import { boxes, fixed, words } from "../chart/marks.ts";
import { PAGE } from "../chart/palette.ts";
import type { Drawing, Space } from "../chart/picture.ts";
import { formatTime } from "../table/format.ts";
import { axisMarks } from "./marks.ts";

/** Time of a part in both runs, in nanoseconds. */
export interface Change {
  readonly what: string;
  readonly first: number;
  readonly second: number;
  readonly change: number;
  readonly fill: string;
}

const HEIGHT = 22;

/** A bar for each change, beginning where the one above it ends. */
export function waterfall({ before, after, names, changes }: {
  readonly before: number;
  readonly after: number;
  readonly names: readonly string[];
  readonly changes: readonly Change[];
}, { left, right, top }: Space): Drawing {
  const moved = changes.filter(({ change }) => change !== 0);
  let at = before;
  const steps = moved.map(({ what, change, fill }) => {
    const step = { what, from: at, to: at + change, fill, said: signed(change) };
    at += change;
    return step;
  });
  const rows = [
    { what: "first", from: 0, to: before, fill: PAGE.faint, said: formatTime(before) },
    ...steps,
    { what: "second", from: 0, to: after, fill: PAGE.faint, said: formatTime(after) },
  ];
  const least = Math.max(0, ...rows.map(({ what }) => textWidth(what, 11)));
  const from = left + least + 8;
  const to = right - Math.max(0, ...rows.map(({ said }) => textWidth(said, 11))) - 12;
  const end = rows.reduce((most, row) => Math.max(most, row.from, row.to), 0) || 1;
  const x = (ns: number) => Math.round((from + Math.max(0, ns) / end * (to - from)) * 100) / 100;
  const y = rows.map((_, i) => top + HEIGHT * i);
  const bottom = top + HEIGHT * rows.length;
  const ends = rows.map((row) => x(Math.max(row.from, row.to)));
  const titles = rows.map(({ what, said }, i) =>
    i === 0
      ? `${names[0]}\n${said}`
      : i === rows.length - 1
      ? `${names[1]}\n${said}`
      : `${what} ${said}`
  );
  return {
    height: bottom + 34 - top,
    marks: (Plot) => [
      ...axisMarks(Plot, { from, to, top, bottom, end, what: "of the makespan" }),
      boxes(Plot, {
        x1: rows.map((row) => x(Math.min(row.from, row.to))),
        x2: ends.map((at, i) => Math.max(at, x(Math.min(rows[i].from, rows[i].to)) + 0.75)),
        y1: y.map((at) => at + 2),
        y2: y.map((at) => at + HEIGHT - 2),
      }, { fill: fixed(rows.map(({ fill }) => fill)), title: fixed(titles) }),
      // from the end of each bar to the beginning of the next
      boxes(Plot, {
        x1: steps.map((step) => x(step.from) - 0.5),
        x2: steps.map((step) => x(step.from) + 0.5),
        y1: steps.map((_, i) => y[i] + HEIGHT - 2),
        y2: steps.map((_, i) => y[i + 1] + 2),
      }, { fill: PAGE.ink }),
      words(Plot, rows.map(({ what: text }, i) => ({ x: from - 8, y: y[i] + HEIGHT / 2, text })), {
        fontSize: 11,
        textAnchor: "end",
        fill: PAGE.ink,
      }),
      words(
        Plot,
        rows.map(({ said: text }, i) => ({ x: ends[i] + 6, y: y[i] + HEIGHT / 2, text })),
        {
          fontSize: 11,
          textAnchor: "start",
          fill: PAGE.ink,
        },
      ),
    ],
  };
}

const signed = (ns: number) => `${ns < 0 ? "−" : "+"}${formatTime(Math.abs(ns))}`;
