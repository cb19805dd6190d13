/** @module */
import { table } from "arquero";
import { isCommunication, type Subject, type Timeline } from "../table/columns.ts";
import { culpritsOf } from "./culprits.ts";
import { operationsOf } from "../table/operations.ts";

/**
 * Which ranks the others wait for: a table by `caused_ns`, largest first, with
 *
 * | column | holds |
 * |---|---|
 * | `rank` | the rank |
 * | `caused_ns` | time that other ranks waited because of it: it began a phase last, or had held up the rank that did |
 * | `waiting_ns` | time that it waited for others |
 * | `last` | number of times that a rank waited because of it, above all |
 * | `compute_ns` | time of its computation |
 * | `slowdown` | that over the median of all ranks; 1 where no rank computes |
 *
 * ```ts
 * import { createLayer, openEngine, stragglers } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * console.assert(stragglers(run).numRows() === 4);
 * ```
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function stragglers(timeline: Subject): Timeline {
  const operations = operationsOf(timeline);
  const found = new Map<number, Straggler>();
  const of = (rank: number) => {
    let straggler = found.get(rank);
    if (!straggler) {
      found.set(rank, straggler = { rank, caused: 0, waiting: 0, last: 0, compute: 0 });
    }
    return straggler;
  };
  const culpritsBehind = culpritsOf(operations);
  for (const operation of operations.all) {
    const at = of(operation.rank);
    if (!isCommunication(operation.kind)) at.compute += operation.end - operation.start;
    const waited = operation.begun - operation.start;
    if (waited <= operations.tolerance) continue;
    at.waiting += waited;
    const culprits = culpritsBehind(operation);
    for (const { rank, ns } of culprits) of(rank).caused += ns;
    if (culprits.length > 0) of(culprits[0].rank).last++;
  }
  const list = [...found.values()].toSorted((a, b) => b.caused - a.caused || a.rank - b.rank);
  const middle = median(list.map(({ compute }) => compute));
  return table({
    rank: Uint32Array.from(list, ({ rank }) => rank),
    caused_ns: Float64Array.from(list, ({ caused }) => caused),
    waiting_ns: Float64Array.from(list, ({ waiting }) => waiting),
    last: Uint32Array.from(list, ({ last }) => last),
    compute_ns: Float64Array.from(list, ({ compute }) => compute),
    slowdown: Float64Array.from(list, ({ compute }) => middle > 0 ? compute / middle : 1),
  });
}

interface Straggler {
  readonly rank: number;
  caused: number;
  waiting: number;
  last: number;
  compute: number;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
