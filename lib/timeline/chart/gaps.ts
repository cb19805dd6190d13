/**
 * The gaps between the bars of a Gantt chart, and what each of them waits for.
 * @module
 */
import type { Gap } from "../measures/idle.ts";
import { formatTime } from "../table/format.ts";
import type { TimeScale } from "./bars.ts";
import { type Layout, textWidth } from "./layout.ts";

/** Boxes with a tooltip, and what is written in them. */
export interface Gaps {
  readonly x1: readonly number[];
  readonly x2: readonly number[];
  readonly y1: readonly number[];
  readonly y2: readonly number[];
  readonly title: readonly string[];
  /** "" where nothing fits. */
  readonly text: readonly string[];
  /** What may be written, from the longest to the shortest. */
  readonly candidates: readonly (readonly string[])[];
  /** Begin and end in nanoseconds from the left edge. */
  readonly times: readonly number[];
}

/** Size of the text in gaps. */
export const gapFont = ({ fontSize }: Layout): number => fontSize - 1;

/** Gaps of the ranks that are shown. */
export function makeGaps(
  gaps: readonly Gap[],
  { layout, scale, begin }: { layout: Layout; scale: TimeScale; begin: number },
): Gaps {
  const top = new Map(layout.rows.map((row) => [`${row.rank} ${row.lane}`, row.top]));
  const shown = gaps.filter(({ rank, lane, cause }) =>
    cause !== "nothing left" && top.has(`${rank} ${lane}`)
  );
  const x1 = shown.map((gap) => scale(gap.begin));
  const x2 = shown.map((gap) => scale(gap.end));
  const y = shown.map(({ rank, lane }) => top.get(`${rank} ${lane}`)!);
  const candidates = shown.map(textsOf);
  return {
    x1,
    x2,
    candidates,
    y1: y.map((at) => at + 1),
    y2: y.map((at) => at + layout.rowHeight - 1),
    title: shown.map(titleOf),
    text: shown.map((_, i) =>
      layout.roomy
        ? candidates[i].find((text) => textWidth(text, gapFont(layout)) + 4 <= x2[i] - x1[i]) ?? ""
        : ""
    ),
    times: shown.flatMap((gap) => [gap.begin - begin, gap.end - begin]),
  };
}

function textsOf({ cause, waits }: Gap): readonly string[] {
  if (cause === "peer") return waits ? [`waits for rank ${waits.rank}`, `rank ${waits.rank}`] : [];
  if (!waits) return cause === "overhead" ? ["not begun"] : [];
  const { name, label, chunk } = waits;
  return [`waits for ${name}`, name, chunk === null ? label : `${label} ${chunk}`];
}

function titleOf({ cause, before, waits, begin, end }: Gap): string {
  const then = before ? `\nthen ${before.name}` : "";
  const time = `idle ${formatTime(end - begin)}`;
  if (cause === "peer") {
    return waits
      ? `waiting ${formatTime(end - begin)} for rank ${waits.rank}, the last to begin ${waits.name}`
      : `waiting ${formatTime(end - begin)} for a peer`;
  }
  if (cause === "task") {
    return `${time}: waits for ${waits!.name} on the ${waits!.lane} lane${then}`;
  }
  if (cause === "barrier") {
    return `${time}: waits for ${waits!.name} on rank ${
      waits!.rank
    }, the last to end before${then}`;
  }
  return cause === "overhead"
    ? `${time}: ${before!.name} is ready and has not begun`
    : `${time}: the table does not say what for${then}`;
}
