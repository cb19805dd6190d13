/**
 * Memory in use over time, as boxes in a row of a Gantt chart.
 * @module
 */
import type { RunMemory } from "../measures/memory.ts";
import { formatBytes, formatPercent } from "../table/format.ts";
import type { TimeScale } from "./bars.ts";
import type { Layout } from "./layout.ts";

/** The lane as which it is shown. */
export const MEMORY = "memory";

/** Boxes as high as the part of the memory that is in use. */
export interface MemoryBoxes {
  readonly x1: readonly number[];
  readonly x2: readonly number[];
  readonly y1: readonly number[];
  readonly y2: readonly number[];
  readonly title: readonly string[];
  /** Begin and end in nanoseconds from the left edge. */
  readonly times: readonly number[];
}

/** More boxes of a rank are joined where they are narrower than a pixel. */
const MANY = 2000;

/** Memory of the ranks that are shown. */
export function memoryBoxes(memory: RunMemory, { layout, scale, begin }: {
  layout: Layout;
  scale: TimeScale;
  begin: number;
}): MemoryBoxes {
  const rows = layout.rows.filter(({ lane }) => lane === MEMORY);
  const boxes = rows.flatMap(({ rank, top, height }) => {
    const { steps } = memory.of(rank);
    const shown = steps.length > MANY ? joined(steps, scale) : steps;
    return shown.map((step) => ({ ...step, base: top + height - 1, high: height - 2 }));
  });
  const part = (bytes: number) => bytes / memory.provided;
  return {
    x1: boxes.map((box) => scale(box.begin)),
    x2: boxes.map((box) => Math.max(scale(box.begin), scale(box.end))),
    y1: boxes.map(({ base, high, bytes }) => Math.round((base - high * part(bytes)) * 100) / 100),
    y2: boxes.map(({ base }) => base),
    title: boxes.map(({ bytes }) =>
      `${formatBytes(bytes)} in use\n${formatPercent(part(bytes))} of the ${
        formatBytes(memory.provided)
      } that a rank provides`
    ),
    times: boxes.flatMap((box) => [box.begin - begin, box.end - begin]),
  };
}

/** What the caption says of it. */
export function memoryText(memory: RunMemory, ranks: readonly number[]): string {
  const most = ranks.flatMap((rank) => memory.of(rank).steps)
    .reduce((largest, { bytes }) => Math.max(largest, bytes), 0);
  const saved = memory.apart > memory.provided
    ? `, ${formatBytes(memory.apart)} if none shared`
    : "";
  return `memory: at most ${formatBytes(most)} of ${
    formatBytes(memory.provided)
  } a rank in use${saved}`;
}

/** The largest of all that lies in one pixel. */
function joined(
  steps: readonly { begin: number; end: number; bytes: number }[],
  scale: TimeScale,
): { begin: number; end: number; bytes: number }[] {
  const found: { begin: number; end: number; bytes: number }[] = [];
  for (const step of steps) {
    const last = found.at(-1);
    if (last && scale(last.end) - scale(last.begin) < 1) {
      found[found.length - 1] = {
        begin: last.begin,
        end: step.end,
        bytes: Math.max(last.bytes, step.bytes),
      };
    } else found.push(step);
  }
  return found;
}
