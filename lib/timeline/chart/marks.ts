/**
 * Marks of Observable Plot at places in pixels.
 * @module
 */
import type { Label } from "./layout.ts";

/** Observable Plot, loaded. */
export type Plot = typeof import("@observablehq/plot");

/** A channel whose values are used as they are. */
export function fixed<T>(value: ArrayLike<T>) {
  return { value: value as T[], scale: null };
}

/** Rectangles by columns of pixels. */
export function boxes(
  Plot: Plot,
  box: Record<"x1" | "x2" | "y1" | "y2", ArrayLike<number>>,
  style: Record<string, unknown>,
) {
  return Plot.rect({ length: box.x1.length }, {
    x1: fixed(box.x1),
    x2: fixed(box.x2),
    y1: fixed(box.y1),
    y2: fixed(box.y2),
    ...style,
  });
}

/** Texts at pixels. */
export function words(Plot: Plot, labels: readonly Label[], style: Record<string, unknown>) {
  return Plot.text({ length: labels.length }, {
    x: fixed(labels.map(({ x }) => x)),
    y: fixed(labels.map(({ y }) => y)),
    text: labels.map(({ text }) => text),
    ...style,
  });
}
