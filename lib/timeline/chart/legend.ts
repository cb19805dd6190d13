/**
 * The legend of a Gantt chart.
 * @module
 */
import { textWidth } from "./layout.ts";
import { communicates, type KindStyle, kindStyle, legendOrder, PAGE } from "./palette.ts";

/** A coloured box; `waiting` ones look like the waiting part of a bar, `critical` ones are outlined. */
export interface Swatch {
  readonly x: number;
  readonly y: number;
  readonly fill: string;
  readonly waiting: boolean;
  readonly critical?: boolean;
}

/** Swatches, their names and the headings before them, placed in pixels. */
export interface Legend {
  readonly swatches: readonly Swatch[];
  readonly names: readonly { x: number; y: number; text: string }[];
  readonly headings: readonly { x: number; y: number; text: string }[];
  /** Height below which the chart may begin. */
  readonly bottom: number;
}

/** Contents of a legend. */
export interface LegendContent {
  readonly kinds: Iterable<string>;
  readonly waiting: boolean;
  readonly exposed: boolean;
  readonly critical?: boolean;
  /** Where lines begin, and beyond what none goes. */
  readonly left: number;
  readonly right: number;
  /** Middle of the first line. */
  readonly top: number;
}

interface Item extends KindStyle {
  readonly waiting: boolean;
  readonly critical?: boolean;
}

const FONT = 11;
const LINE = 18;
/** Width of a swatch with the space after it. */
export const SWATCH = 12;

/** Places a legend: computation, below it communication, each in as many lines as it takes. */
export function placeLegend(content: LegendContent): Legend {
  const kinds = legendOrder(content.kinds);
  const item = (kind: string): Item => ({ ...kindStyle(kind), waiting: false });
  const groups = [
    { heading: "computation", items: kinds.filter((kind) => !communicates(kind)).map(item) },
    { heading: "communication", items: kinds.filter(communicates).map(item) },
  ];
  const communication = groups[1].items;
  if (content.waiting) {
    communication.push({
      name: "waiting for a peer",
      fill: communication[0]?.fill ?? PAGE.faint,
      ink: PAGE.ink,
      waiting: true,
    });
  }
  if (content.exposed) {
    communication.push({
      name: "exposed: nothing computes",
      fill: PAGE.exposed,
      ink: PAGE.ink,
      waiting: false,
    });
  }
  if (content.critical) {
    communication.push({
      name: "critical path",
      fill: PAGE.paper,
      ink: PAGE.ink,
      waiting: false,
      critical: true,
    });
  }
  const swatches: Swatch[] = [];
  const names: { x: number; y: number; text: string }[] = [];
  const headings: { x: number; y: number; text: string }[] = [];
  const shown = groups.filter(({ items }) => items.length > 0);
  const indent = Math.max(0, ...shown.map(({ heading }) => textWidth(heading, FONT))) + 6;
  let y = content.top - LINE;
  for (const { heading, items } of shown) {
    let x = content.left + indent;
    y += LINE;
    headings.push({ x: content.left, y, text: heading });
    for (const { name, fill, waiting, critical } of items) {
      const wide = SWATCH + 5 + textWidth(name, FONT);
      if (x > content.left + indent && x + wide > content.right) {
        x = content.left + indent;
        y += LINE;
      }
      swatches.push({ x, y, fill, waiting, ...(critical ? { critical } : {}) });
      names.push({ x: x + SWATCH + 5, y, text: name });
      x += wide + 10;
    }
  }
  return { swatches, names, headings, bottom: y + LINE };
}
