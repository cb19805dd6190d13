/** The dots of a roofline below its roof. @module */
import { kindStyle, legendOrder, PAGE } from "../chart/palette.ts";
import { boxes, fixed, type Plot, words } from "../chart/marks.ts";
import type { Drawing, Space } from "../chart/picture.ts";
import { formatPercent, formatTime } from "../table/format.ts";
import { rateText } from "../../units.ts";
import { swatches } from "./marks.ts";

/** One task; means over ranks. */
export interface RooflineDot {
  readonly pass: string;
  readonly name: string;
  readonly kind: string;
  readonly flops: number;
  readonly bytes: number;
  readonly ns: number;
  /** Operations a byte, 0 where it moves or calculates nothing. */
  readonly intensity: number;
  /** The least time that the peaks allow over the time it took. */
  readonly share: number;
}

const HEIGHT = 300;

/** Both axes are logarithmic, a decade being equally wide on each as far as that fits. */
export function rooflineDots({ dots, roof: { flopRate, byteRate } }: {
  readonly dots: readonly RooflineDot[];
  readonly roof: { readonly flopRate: number; readonly byteRate: number };
}, { left, right, top }: Space): Drawing {
  const ridge = flopRate / byteRate;
  const rates = dots.map(({ flops, ns }) => flops / ns * 1e9);
  const x = decades([ridge / 8, ridge * 8, ...dots.map(({ intensity }) => intensity)]);
  const y = decades([flopRate / 100, flopRate * 1.5, ...rates]);
  const [from, to, first, bottom] = [left + 84, right - 10, top + 30, top + 30 + HEIGHT];
  const scale = (value: number, [least, most]: readonly number[], [a, b]: readonly number[]) =>
    Math.round((a + Math.log(value / least) / Math.log(most / least) * (b - a)) * 100) / 100;
  const px = (value: number) => scale(value, x, [from, to]);
  const py = (value: number) => scale(value, y, [bottom, first]);
  // the slope enters at the left edge or from below
  const low = Math.max(x[0], y[0] / byteRate);
  const roof = {
    x: [px(low), px(ridge), px(x[1])],
    y: [py(low * byteRate), py(flopRate), py(flopRate)],
  };
  const kinds = legendOrder(dots.map(({ kind }) => kind));
  const ticks = { x: powers(x), y: powers(y) };
  const lines = (Plot: Plot) => [
    boxes(Plot, { x1: [from], x2: [to], y1: [first], y2: [bottom] }, { fill: PAGE.band }),
    boxes(Plot, {
      x1: [...ticks.x.map((v) => px(v) - 0.25), ...ticks.y.map(() => from)],
      x2: [...ticks.x.map((v) => px(v) + 0.25), ...ticks.y.map(() => to)],
      y1: [...ticks.x.map(() => first), ...ticks.y.map((v) => py(v) - 0.25)],
      y2: [...ticks.x.map(() => bottom), ...ticks.y.map((v) => py(v) + 0.25)],
    }, { fill: PAGE.grid }),
  ];
  const titles = dots.map((dot, i) =>
    `${dot.name} · ${kindStyle(dot.kind).name}\n${formatTime(dot.ns)} · ${
      rateText(rates[i], "FLOP/s")
    } · ${Number(dot.intensity.toPrecision(3))} FLOP a byte\n${
      formatPercent(dot.share)
    } of the roof`
  );
  const faint = { fontSize: 11, fill: PAGE.faint } as const;
  return {
    height: HEIGHT + 66,
    marks: (Plot) => [
      ...swatches(
        Plot,
        { left, y: top + 6 },
        kinds.map((kind) => ({ name: kindStyle(kind).name, fill: kindStyle(kind).fill })),
      ),
      ...lines(Plot),
      Plot.line({ length: 3 }, {
        x: fixed(roof.x),
        y: fixed(roof.y),
        stroke: PAGE.ink,
        strokeWidth: 1.5,
      }),
      Plot.dot({ length: dots.length }, {
        x: fixed(dots.map(({ intensity }) => px(intensity))),
        y: fixed(rates.map(py)),
        r: 4.5,
        stroke: PAGE.ink,
        strokeWidth: 0.75,
        fill: fixed(dots.map(({ kind }) => kindStyle(kind).fill)),
        title: titles,
      }),
      words(Plot, ticks.x.map((v) => ({ x: px(v), y: bottom + 12, text: `${v}` })), faint),
      words(Plot, ticks.y.map((v) => ({ x: from - 8, y: py(v), text: rateText(v, "FLOP/s") })), {
        ...faint,
        textAnchor: "end",
      }),
      words(Plot, [{
        x: (from + to) / 2,
        y: bottom + 28,
        text: "operations a byte of memory traffic",
      }], {
        ...faint,
      }),
    ],
  };
}

/** Powers of ten around all of the values. */
function decades(values: readonly number[]): readonly [number, number] {
  const some = values.filter((value) => value > 0);
  const least = some.reduce((a, b) => Math.min(a, b), Infinity);
  const most = some.reduce((a, b) => Math.max(a, b), -Infinity);
  return [10 ** Math.floor(Math.log10(least) + 1e-9), 10 ** Math.ceil(Math.log10(most) - 1e-9)];
}

/** Powers of ten from the least to the most. */
function powers([least, most]: readonly [number, number]): number[] {
  const [first, last] = [Math.round(Math.log10(least)), Math.round(Math.log10(most))];
  // 10 ** -1 is not the number that is written 0.1
  return Array.from({ length: last - first + 1 }, (_, i) => Number(`1e${first + i}`));
}
