/** The bars of skew and transfer. @module */
import { textWidth } from "../chart/layout.ts";
import { boxes, fixed, words } from "../chart/marks.ts";
import { barKind, kindStyle, PAGE } from "../chart/palette.ts";
import type { Drawing, Space } from "../chart/picture.ts";
import { formatRate, formatTime } from "../table/format.ts";
import { axisMarks, swatches } from "./marks.ts";

/** One all-to-all; times are nanoseconds. */
export interface SkewRow {
  readonly pass: string;
  readonly name: string;
  readonly start: number;
  /** Whether it brings results back. */
  readonly back: boolean;
  readonly waiting: number;
  readonly transfer: number;
  readonly longest: number;
  readonly lastRank?: number;
  readonly bytes: number;
}

const HEIGHT = 20;

/** A bar for each all-to-all: waiting, then transfer. */
export function skewBars(rows: readonly SkewRow[], { left, right, top }: Space): Drawing {
  const many = new Set(rows.map(({ pass }) => pass)).size > 1;
  const names = rows.map(({ pass, name }) => many ? `${pass} ${name}` : name);
  const said = rows.map(({ bytes, transfer, lastRank }) =>
    [
      ...(transfer > 0 && bytes > 0 ? [formatRate(bytes, transfer, "B")] : []),
      ...(lastRank === undefined ? [] : [`waits for rank ${lastRank}`]),
    ].join(" · ")
  );
  const widest = (texts: readonly string[]) => Math.max(0, ...texts.map((t) => textWidth(t, 11)));
  const from = left + widest(names) + 8;
  const to = right - widest(said) - 12;
  const longest = rows.reduce((most, row) => Math.max(most, row.waiting + row.transfer), 0) || 1;
  const x = (ns: number) => Math.round((from + ns / longest * (to - from)) * 100) / 100;
  const first = top + 22;
  const y = rows.map((_, i) => first + HEIGHT * i);
  const fill = rows.map(({ back }) => kindStyle(barKind("allToAll", back ? "A2" : "A1")).fill);
  const titles = rows.map(({ name, waiting, transfer, longest }) =>
    `${name}\nwaiting for the last sender ${formatTime(waiting)}, at most ${
      formatTime(longest)
    }\n` +
    `transfer ${formatTime(transfer)}`
  );
  const bar = (begin: (row: SkewRow) => number, end: (row: SkewRow) => number) => ({
    x1: rows.map((row) => x(begin(row))),
    x2: rows.map((row) => Math.max(x(begin(row)), x(end(row)))),
    y1: y.map((at) => at + 2),
    y2: y.map((at) => at + HEIGHT - 2),
  });
  const bottom = first + HEIGHT * rows.length;
  const ways = [...new Set(rows.map(({ back }) => back))];
  return {
    height: bottom + 34 - top,
    marks: (Plot) => [
      ...swatches(Plot, { left, y: top + 6 }, [
        { name: "waiting for the last sender", fill: PAGE.faint },
        ...ways.map((back) => ({
          name: `transfer, ${kindStyle(barKind("allToAll", back ? "A2" : "A1")).name}`,
          fill: kindStyle(barKind("allToAll", back ? "A2" : "A1")).fill,
        })),
      ]),
      ...axisMarks(Plot, { from, to, top: first, bottom, end: longest, what: "mean over ranks" }),
      boxes(Plot, bar(() => 0, ({ waiting }) => waiting), {
        fill: PAGE.faint,
        title: fixed(titles),
      }),
      boxes(Plot, bar(({ waiting }) => waiting, ({ waiting, transfer }) => waiting + transfer), {
        fill: fixed(fill),
        title: fixed(titles),
      }),
      words(Plot, names.map((text, i) => ({ x: from - 8, y: y[i] + HEIGHT / 2, text })), {
        fontSize: 11,
        textAnchor: "end",
        fill: PAGE.ink,
      }),
      words(Plot, said.map((text, i) => ({ x: to + 8, y: y[i] + HEIGHT / 2, text })), {
        fontSize: 11,
        textAnchor: "start",
        fill: PAGE.faint,
      }),
    ],
  };
}
