/**
 * Ranks whose bars are the same, so that a chart needs to show one of them.
 * @module
 */
import { column, numbers, rows, type Timeline } from "../table/columns.ts";

/** Ranks with equal bars, represented by the first. */
export interface RankGroup {
  readonly rank: number;
  readonly node: number;
  readonly ranks: readonly number[];
  readonly nodes: readonly number[];
}

/**
 * Groups ranks on which the same tasks run on the same lanes at the same times; in the order of the
 * first rank of each.
 *
 * @param tolerance nanoseconds by which times may differ from those of the first rank of the group;
 * negative to put each rank into a group of its own.
 * @param only the ranks to group; default all.
 */
export function foldRanks(
  timeline: Timeline,
  tolerance: number,
  only?: ReadonlySet<number>,
): RankGroup[] {
  const rank = numbers(timeline, "rank");
  const node = numbers(timeline, "node");
  const lane = column<string>(timeline, "lane");
  const kind = column<string>(timeline, "kind");
  const name = column<string>(timeline, "name");
  const times = (["start_ns", "end_ns", "wait_ns"] as const).map((n) => numbers(timeline, n));
  const lists = new Map<number, number[]>();
  for (const row of rows(timeline)) {
    if (only && !only.has(rank.at(row))) continue;
    const list = lists.get(rank.at(row));
    if (list) list.push(row);
    else lists.set(rank.at(row), [row]);
  }
  const [start] = times;
  const same = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length &&
    a.every((row, i) =>
      name.at(row) === name.at(b[i]) && lane.at(row) === lane.at(b[i]) &&
      kind.at(row) === kind.at(b[i]) &&
      times.every((time) => Math.abs(time.at(row) - time.at(b[i])) <= tolerance)
    );
  // rows in an order that does not hang on times that differ a little
  const key = (row: number) => `${lane.at(row)} ${name.at(row)}`;
  const sorted = (list: readonly number[]) => {
    const keys = new Map(list.map((row) => [row, key(row)]));
    return list.toSorted((a, b) =>
      keys.get(a)! < keys.get(b)! ? -1 : keys.get(a)! > keys.get(b)! ? 1 : start.at(a) - start.at(b)
    );
  };
  const groups: { rows: readonly number[]; ranks: number[]; nodes: Set<number> }[] = [];
  for (const [of, unsorted] of [...lists].toSorted(([a], [b]) => a - b)) {
    const list = tolerance < 0 ? unsorted : sorted(unsorted);
    const group = tolerance < 0 ? undefined : groups.find((group) => same(list, group.rows));
    const at = node.at(list[0]);
    if (group) {
      group.ranks.push(of);
      group.nodes.add(at);
    } else groups.push({ rows: list, ranks: [of], nodes: new Set([at]) });
  }
  return groups.map(({ ranks, nodes }) => {
    const list = [...nodes].toSorted((a, b) => a - b);
    return { rank: ranks[0], node: node.at(lists.get(ranks[0])![0]), ranks, nodes: list };
  });
}

/**
 * Numbers as people list them: `0`, `0–3`, `0, 2, 5–7`; a step between equal distances as `0, 4 … 28`.
 */
export function listNumbers(numbers: readonly number[]): string {
  const step = numbers[1] - numbers[0];
  const even = numbers.length > 3 && step > 1 &&
    numbers.every((number, i) => number === numbers[0] + i * step);
  if (even) return `${numbers[0]}, ${numbers[1]} … ${numbers.at(-1)}`;
  const parts: string[] = [];
  for (let i = 0; i < numbers.length;) {
    let end = i;
    while (numbers[end + 1] === numbers[end] + 1) end++;
    parts.push(
      end > i + 1 ? `${numbers[i]}–${numbers[end]}` : numbers.slice(i, end + 1).join(", "),
    );
    i = end + 1;
  }
  return parts.join(", ");
}
