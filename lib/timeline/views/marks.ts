/** What several pictures draw: a legend in one line, and an axis of time. @module */
import { textWidth } from "../chart/layout.ts";
import { boxes, fixed, type Plot, words } from "../chart/marks.ts";
import { PAGE } from "../chart/palette.ts";
import { timeUnit } from "../table/format.ts";

const SQUARE = 12;

/** Coloured squares with their names, from left to right. */
export function swatches(
  Plot: Plot,
  { left, y }: { readonly left: number; readonly y: number },
  list: readonly { readonly name: string; readonly fill: string }[],
): unknown[] {
  let at = left;
  const xs = list.map(({ name }) => {
    const x = at;
    at += SQUARE + 5 + textWidth(name, 11) + 12;
    return x;
  });
  return [
    boxes(Plot, {
      x1: xs,
      x2: xs.map((x) => x + SQUARE),
      y1: xs.map(() => y - SQUARE / 2),
      y2: xs.map(() => y + SQUARE / 2),
    }, { fill: fixed(list.map(({ fill }) => fill)), stroke: PAGE.edge, strokeWidth: 0.5 }),
    words(Plot, list.map(({ name: text }, i) => ({ x: xs[i] + SQUARE + 5, y, text })), {
      fontSize: 11,
      textAnchor: "start",
      fill: PAGE.ink,
    }),
  ];
}

/** An axis of time from 0, its ticks at 1, 2 or 5 times a power of ten, and its grid. */
export function axisMarks(Plot: Plot, { from, to, top, bottom, end, what }: {
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly bottom: number;
  /** Nanoseconds at the right end. */
  readonly end: number;
  readonly what: string;
}): unknown[] {
  const { unit, ns } = timeUnit(end);
  const ticks = ticksUpTo(end / ns);
  const x = ticks.map((tick) => Math.round((from + tick * ns / end * (to - from)) * 100) / 100);
  return [
    boxes(Plot, { x1: [from], x2: [to], y1: [top], y2: [bottom] }, { fill: PAGE.band }),
    boxes(Plot, {
      x1: x.map((at) => at - 0.25),
      x2: x.map((at) => at + 0.25),
      y1: x.map(() => top),
      y2: x.map(() => bottom + 4),
    }, { fill: PAGE.grid }),
    words(Plot, ticks.map((tick, i) => ({ x: x[i], y: bottom + 12, text: `${tick}` })), {
      fontSize: 11,
      fill: PAGE.faint,
    }),
    words(Plot, [{ x: (from + to) / 2, y: bottom + 27, text: `time (${unit}), ${what}` }], {
      fontSize: 11,
      fill: PAGE.faint,
    }),
  ];
}

/** Multiples of 1, 2 or 5 times a power of ten from 0 to `end`, about eight of them. */
function ticksUpTo(end: number): number[] {
  if (!(end > 0)) return [0];
  const power = 10 ** Math.floor(Math.log10(end / 8));
  const step = power * ([1, 2, 5].find((m) => power * m * 8 >= end) ?? 10);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Array.from(
    { length: Math.floor(end / step + 1e-9) + 1 },
    (_, i) => Number((i * step).toFixed(digits)),
  );
}
