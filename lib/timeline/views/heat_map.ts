/** The cells of a heat map of experts. @module */
import { textWidth } from "../chart/layout.ts";
import { boxes, fixed, words } from "../chart/marks.ts";
import { PAGE } from "../chart/palette.ts";
import type { Drawing, Space } from "../chart/picture.ts";
import { swatches } from "./marks.ts";

/** One layer in one step. */
export interface HeatRow {
  readonly layer: number;
  readonly step: number;
  readonly tokens: ArrayLike<number>;
  /** Tokens relative to the mean expert. */
  readonly over: readonly number[];
  /** The largest of them. */
  readonly most: number;
  /** Experts without tokens. */
  readonly dead: number;
}

/**
 * From few tokens to many around the mean, with the first factor above each; blue and red of ColorBrewer's RdBu
 * (Harrower and Brewer, 2003), which colour-blind eyes tell apart.
 */
const SCALE = [
  { up: 0.25, name: "under 0.25x", fill: "#2166ac" },
  { up: 0.5, name: "0.25 to 0.5x", fill: "#67a9cf" },
  { up: 0.8, name: "0.5 to 0.8x", fill: "#d1e5f0" },
  { up: 1.25, name: "0.8 to 1.25x", fill: "#f7f7f7" },
  { up: 2, name: "1.25 to 2x", fill: "#fddbc7" },
  { up: 4, name: "2 to 4x", fill: "#ef8a62" },
  { up: Infinity, name: "above 4x", fill: "#b2182b" },
];
const NONE = { name: "no tokens", fill: PAGE.ink };

/** A cell for each row and expert; a legend above, the fullest expert of each row beside it. */
export function heatMap(rows: readonly HeatRow[], { left, right, top }: Space): Drawing {
  const experts = rows[0].over.length;
  const layers = new Set(rows.map(({ layer }) => layer));
  const steps = new Set(rows.map(({ step }) => step));
  const name = ({ layer, step }: HeatRow) =>
    steps.size === 1 && layers.size > 1
      ? `layer ${layer}`
      : layers.size === 1
      ? `step ${step}`
      : `layer ${layer} · step ${step}`;
  const names = rows.map(name);
  const said = rows.map(({ most, dead }) =>
    most > 0 ? `max ${most.toFixed(2)}${dead > 0 ? ` · ${dead} idle` : ""}` : "no tokens"
  );
  const widest = (texts: readonly string[]) => Math.max(...texts.map((t) => textWidth(t, 11)));
  const from = left + widest(names) + 8;
  const to = right - widest(said) - 10;
  const high = rows.length > 24 ? 13 : 20;
  const first = top + 34;
  const wide = (to - from) / experts;
  const hair = wide > 6 ? 0.5 : 0;
  const cells = rows.flatMap(({ over, tokens }, row) =>
    over.map((value, expert) => ({ row, expert, value, tokens: tokens[expert] }))
  );
  const x = (expert: number) => Math.round((from + expert * wide) * 100) / 100;
  const every =
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024].find((n) =>
      n * wide >= textWidth(`${experts}`, 11) + 6
    ) ?? experts;
  const ticks = Array.from({ length: Math.ceil(experts / every) }, (_, i) => i * every);
  const bottom = first + high * rows.length;
  const faint = { fontSize: 11, fill: PAGE.faint } as const;
  const used = new Set(cells.map(({ value }) => fillOf(value)));
  return {
    height: bottom + 34 - top,
    marks: (Plot) => [
      ...swatches(
        Plot,
        { left, y: top + 6 },
        [NONE, ...SCALE].filter(({ fill }) => used.has(fill)),
      ),
      boxes(Plot, { x1: [from], x2: [to], y1: [first], y2: [bottom] }, { fill: PAGE.band }),
      boxes(Plot, {
        x1: cells.map(({ expert }) => x(expert)),
        x2: cells.map(({ expert }) => x(expert + 1) - hair),
        y1: cells.map(({ row }) => first + high * row),
        y2: cells.map(({ row }) => first + high * (row + 1) - 1),
      }, {
        fill: fixed(cells.map(({ value }) => fillOf(value))),
        title: fixed(
          cells.map(({ row, expert, value, tokens }) =>
            `${names[row]} · expert ${expert}\n${tokens} tokens, ${
              Number.isNaN(value) ? "none in the row" : `${value.toFixed(2)} times the mean`
            }`
          ),
        ),
      }),
      words(Plot, names.map((text, i) => ({ x: from - 8, y: first + high * (i + 0.5), text })), {
        fontSize: high > 13 ? 11 : 9,
        textAnchor: "end",
        fill: PAGE.ink,
      }),
      words(Plot, said.map((text, i) => ({ x: to + 8, y: first + high * (i + 0.5), text })), {
        ...faint,
        fontSize: high > 13 ? 11 : 9,
        textAnchor: "start",
      }),
      words(
        Plot,
        ticks.map((expert) => ({ x: x(expert + 0.5), y: bottom + 11, text: `${expert}` })),
        faint,
      ),
      words(Plot, [{ x: (from + to) / 2, y: bottom + 27, text: "expert" }], faint),
    ],
  };
}

const fillOf = (over: number): string =>
  Number.isNaN(over)
    ? PAGE.band
    : over === 0
    ? NONE.fill
    : SCALE.find(({ up }, i) => over < up || i === SCALE.length - 1)!.fill;
