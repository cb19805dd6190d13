/**
 * Where the critical path lies in a Gantt chart.
 * @module
 */
import type { TimeScale } from "./bars.ts";
import { column, numbers, type Timeline } from "../table/columns.ts";
import type { PathStep } from "../measures/critical_path.ts";
import type { Layout } from "./layout.ts";
import { groupBy } from "../table/operations.ts";

/** Boxes of the critical path and the lines between them, on the ranks that are shown. */
export function pathMarks(path: readonly PathStep[], { layout, scale, list, standIn, timeline }: {
  layout: Layout;
  scale: TimeScale;
  list: readonly number[];
  standIn: ReadonlyMap<number, number>;
  timeline: Timeline;
}) {
  const top = new Map(layout.rows.map((row) => [`${row.rank} ${row.lane}`, row.top]));
  const name = column<string>(timeline, "name");
  const [rank, start] = [numbers(timeline, "rank"), numbers(timeline, "start_ns")];
  const lane = column<string>(timeline, "lane");
  // a folded rank's step is drawn on the rank that stands for it, at the times of the step
  const steps = path.flatMap((step) => {
    const of = standIn.get(step.operation.rank);
    const y = of === undefined ? undefined : top.get(`${of} ${step.operation.lane}`);
    return y === undefined ? [] : [{ ...step, rank: of!, y }];
  });
  const bars = groupBy(
    list.keys(),
    (i) => `${rank.at(list[i])} ${lane.at(list[i])} ${name.at(list[i])}`,
  );
  const on = new Set(steps.map(({ rank: of, operation }) => {
    const same = bars.get(`${of} ${operation.lane} ${operation.name}`) ?? [];
    const distance = (i: number) => Math.abs(start.at(list[i]) - operation.start);
    return same.toSorted((a, b) => distance(a) - distance(b))[0];
  }));
  const next = steps.slice(1).map((step, i) => ({ from: steps[i], to: step }))
    .filter(({ from, to }) => from.y !== to.y);
  const middle = layout.rowHeight / 2;
  return {
    path: {
      boxes: {
        x1: steps.map(({ begin }) => scale(begin)),
        x2: steps.map(({ begin, end }) => Math.max(scale(begin) + 0.75, scale(end))),
        y1: steps.map(({ y }) => y + 1),
        y2: steps.map(({ y }) => y + layout.rowHeight - 1),
      },
      links: {
        x: next.map(({ to }) => scale(to.begin)),
        y1: next.map(({ from, to }) => from.y + (from.y < to.y ? 2 * middle - 1 : 1)),
        y2: next.map(({ from, to }) => to.y + (from.y < to.y ? 1 : 2 * middle - 1)),
      },
      others: Array.from(list.keys()).filter((i) => !on.has(i)),
    },
    times: steps.flatMap(({ begin, end }) => [begin, end]),
    links: next.map(({ to }) => to.begin),
  };
}
