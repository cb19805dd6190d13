/** Where the labels of dots go so that none lies on another. @module */

/** A dot and the size of its label, in pixels. */
export interface LabelledDot {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Whether the label goes to the left where both sides are free. */
  readonly left?: boolean;
}

/** Place of a label: to the left or the right of its dot, its middle `dy` pixels below that of the dot. */
export interface LabelPlace {
  readonly anchor: "start" | "end";
  readonly dx: number;
  readonly dy: number;
}

type Box = readonly [left: number, top: number, right: number, bottom: number];

/** Pixels between the middle of a dot and its label, and half the width of a dot. */
const GAP = 8;
const RADIUS = 5;

/** A place for each label, in order: the one that covers least of the labels before and of all dots. */
export function placeLabels(dots: readonly LabelledDot[]): LabelPlace[] {
  const taken: Box[] = [];
  const marks = dots.map(({ x, y }): Box => [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]);
  return dots.map((dot) => {
    const { x, y, width, height, left = false } = dot;
    const places = [0, -height, height, -2 * height, 2 * height].flatMap((dy) =>
      [left, !left].map((toLeft): { place: LabelPlace; box: Box } => {
        const dx = toLeft ? -GAP : GAP;
        const begin = x + dx - (toLeft ? width : 0);
        const top = y + dy - height / 2;
        return {
          place: { anchor: toLeft ? "end" : "start", dx, dy },
          box: [begin, top, begin + width, top + height],
        };
      })
    );
    const costs = places.map(({ box }) =>
      [...taken, ...marks].reduce((sum, other) => sum + shared(box, other), 0)
    );
    const best = places[costs.indexOf(Math.min(...costs))];
    taken.push(best.box);
    return best.place;
  });
}

/** Area that two boxes share. */
const shared = (a: Box, b: Box): number =>
  Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) *
  Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
