/** @module */
import { table } from "arquero";
import type { Subject, Timeline } from "../table/columns.ts";
import { intersect, type Intervals, length, merge } from "../table/intervals.ts";
import { operationsOf } from "../table/operations.ts";
import { legendOrder } from "../chart/palette.ts";

/**
 * How long each two kinds of task work at the same time on the same rank, summed over ranks: a table
 * with the column `kind` and one column `KIND_ns` for each kind, in the order of the legend. The
 * diagonal holds the time in which a kind works at all. Waiting for a peer is not work.
 *
 * ```ts
 * import { createLayer, openEngine, overlap } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * console.log(`${overlap(run).columnNames()}`); // kind,gate_ns,dispatch_ns,...
 * ```
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function overlap(timeline: Subject): Timeline {
  const lists = new Map<number, Map<string, number[]>>();
  const found = new Set<string>();
  for (const { rank, kind, begun, end } of operationsOf(timeline).all) {
    found.add(kind);
    const kinds = lists.get(rank) ?? new Map<string, number[]>();
    lists.set(rank, kinds);
    const list = kinds.get(kind) ?? [];
    kinds.set(kind, list);
    list.push(begun, end);
  }
  const kinds = legendOrder(found);
  const sums = new Map(kinds.map((kind) => [kind, new Float64Array(kinds.length)]));
  for (const rank of lists.values()) {
    const merged = kinds.map((kind): Intervals => merge(rank.get(kind) ?? []));
    for (const [i, a] of merged.entries()) {
      for (const [j, b] of merged.entries()) sums.get(kinds[j])![i] += length(intersect(a, b));
    }
  }
  const columns = kinds.map((kind) => [`${kind}_ns`, sums.get(kind)!] as const);
  return table({ kind: kinds, ...Object.fromEntries(columns) }, [
    "kind",
    ...columns.map(([name]) => name),
  ]);
}
