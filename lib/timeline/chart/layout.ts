/**
 * Where everything in a Gantt chart goes, in pixels: pure arithmetic.
 * @module
 */
import { LANES } from "../../types.ts";

/** One lane of one rank. */
export interface LaneRow {
  readonly rank: number;
  readonly lane: string;
  readonly top: number;
  readonly height: number;
}

/** A line of text, centred vertically at `y`. */
export interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** Sizes and places of a chart. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Edges of the bars. */
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** Height of a row and size of the text beside it, and in it if it is high enough. */
  readonly rowHeight: number;
  readonly fontSize: number;
  readonly roomy: boolean;
  readonly rows: readonly LaneRow[];
  readonly laneLabels: readonly Label[];
  readonly rankLabels: readonly Label[];
  readonly nodeLabels: readonly Label[];
  /** Heights at which a line divides two nodes. */
  readonly dividers: readonly number[];
}

/** Geometry of a chart. */
export interface Shape {
  readonly width: number;
  /** Height of title and legend. */
  readonly header: number;
  /** Height below the axis. */
  readonly footer: number;
  /** In the order in which they are drawn. */
  readonly ranks: readonly ShownRank[];
  /** Lanes that some rank uses. */
  readonly lanes: ReadonlySet<string>;
  /** Lanes of twice the height. */
  readonly tall?: ReadonlySet<string>;
  /** Left edge of the bars at least, to align several charts. */
  readonly left?: number;
  /** Longest number below the time axis. */
  readonly longest?: string;
}

/** A rank, or the first of several that look the same, and its label. */
export interface ShownRank {
  readonly rank: number;
  readonly node: number;
  /** Default: `rank 3` and `node 0`. */
  readonly label?: string;
  readonly nodeLabel?: string;
}

/** Charts of more ranks have low rows without text, and no names of lanes. */
const ROOMY_RANKS = 16;

/** Space at the left edge of the picture. */
export const MARGIN = 14;
/** Middle of the title, and from there to each line below it. */
export const TITLE = 20;
export const LINE = 15;
const AXIS = 40;
const GAP = 12;

/** Width of text in pixels, rather too large than too small for any usual sans-serif font. */
export function textWidth(text: string, fontSize: number): number {
  return Math.ceil(text.length * fontSize * 0.61);
}

/** Text cut off with an ellipsis where it would be wider than `width` pixels. */
export function shorten(text: string, fontSize: number, width: number): string {
  if (textWidth(text, fontSize) <= width) return text;
  return text.slice(0, Math.max(0, Math.floor(width / (fontSize * 0.61)) - 1)) + "…";
}

/** Lanes from top to bottom: computation, then links, then any others by name. */
export function laneOrder(lanes: Iterable<string>): string[] {
  const place = (lane: string) => (LANES as readonly string[]).indexOf(lane) >>> 0;
  return [...lanes].toSorted((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}

/** Places the rows of all ranks below each other. */
export function layOut(shape: Shape): Layout {
  const { width, header, footer, ranks, lanes, left: least = 0, tall = new Set(), longest = "" } =
    shape;
  const order = laneOrder(lanes);
  const count = ranks.length * order.length;
  const roomy = ranks.length <= ROOMY_RANKS;
  const low = Math.max(6, Math.ceil(12 / Math.max(1, order.length)));
  const rowHeight = !roomy ? low : count <= 12 ? 24 : count <= 24 ? 18 : 13;
  const fontSize = rowHeight >= 18 ? 11 : 9;
  const widest = (texts: string[]) => Math.max(0, ...texts.map((t) => textWidth(t, fontSize)));
  const nodeOf = ({ node, nodeLabel = `node ${node}` }: ShownRank) => nodeLabel;
  const rankOf = ({ rank, label = `rank ${rank}` }: ShownRank) => label;
  const nodeRight = MARGIN + Math.ceil(1.1 * widest(ranks.map(nodeOf)));
  const rankRight = nodeRight + GAP + widest(ranks.map(rankOf));
  const left = Math.max(least, (roomy ? rankRight + GAP + widest(order) : rankRight) + 8);
  const laneRight = left - 8;
  const rows: LaneRow[] = [];
  const laneLabels: Label[] = [];
  const rankLabels: Label[] = [];
  const nodeLabels: Label[] = [];
  const dividers: number[] = [];
  let y = header;
  for (const [at, shown] of ranks.entries()) {
    const { rank } = shown;
    const newNode = at === 0 || nodeOf(shown) !== nodeOf(ranks[at - 1]);
    if (at > 0) y += rowHeight >= 18 ? 8 : 5;
    if (at > 0 && newNode) {
      dividers.push(y + 1);
      y += rowHeight >= 18 ? 10 : 7;
    }
    const middle = y + (roomy ? rowHeight : rowHeight * order.length) / 2;
    if (newNode) nodeLabels.push({ x: MARGIN, y: middle, text: nodeOf(shown) });
    rankLabels.push({ x: rankRight, y: middle, text: rankOf(shown) });
    for (const lane of order) {
      const height = rowHeight * (tall.has(lane) ? 2 : 1);
      rows.push({ rank, lane, top: y, height });
      if (roomy) laneLabels.push({ x: laneRight, y: y + height / 2, text: lane });
      y += height;
    }
  }
  const bottom = y + 6;
  return {
    width,
    height: bottom + AXIS + footer,
    left,
    // a tick may be at the edge, with half of its number beyond
    right: width - Math.max(24, Math.ceil(textWidth(longest, 11) / 2) + 6),
    top: header - 6,
    bottom,
    rowHeight,
    fontSize,
    roomy,
    rows,
    laneLabels,
    rankLabels,
    nodeLabels,
    dividers,
  };
}
