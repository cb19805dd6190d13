/** @module */
import { table } from "arquero";
import { isCommunication, type Subject, type Timeline } from "../table/columns.ts";
import { intersect, type Intervals, length, merge, subtract } from "../table/intervals.ts";
import { culpritsOf } from "./culprits.ts";
import { groupBy, type Operation, type Operations, operationsOf } from "../table/operations.ts";

/** One communication task over all ranks, with the time in which nothing hides it. */
export interface Exposure {
  readonly pass: string;
  readonly name: string;
  readonly label: string;
  readonly chunk: number | null;
  readonly lane: string;
  /** Exposed nanoseconds, as the mean over all ranks. */
  readonly mean: number;
  /** The operation that is exposed longest, and for how long. */
  readonly worst: Operation;
  readonly most: number;
  /** Why that one did not begin earlier: `began after C2[0] on the compute lane`. */
  readonly why: string;
  /** The first task that computes on its rank afterwards. */
  readonly holdsUp?: string;
}

/**
 * Which communication is exposed, costliest first: a table with `name`, `chunk`, `lane`, `exposed_ns`
 * (mean over ranks), `worst_rank`, `worst_ns`, `why` (what the worst one waited for before it began)
 * and `holds_up` (the task that computes next on its rank).
 *
 * Exposed is the time in which a rank communicates and its compute lane does nothing; where several
 * transfers are under way then, it counts for the one that ends last. Tasks that are not exposed have
 * no row. The column `exposed_ns` times the number of ranks adds up to `communication().exposed`.
 *
 * ```ts
 * import { createLayer, exposure, openEngine } from "@schemoe/lab";
 * const engine = openEngine({ kind: "simulate", nodes: 2, ranksPerNode: 2 });
 * const layer = createLayer(engine, { tokens: 64, modelDim: 32, hiddenDim: 64, experts: 8 });
 * const run = await layer.forward({ scheduler: "optSche", chunks: 4 });
 * console.assert(exposure(run).get("lane", 0) === "inter");
 * ```
 * @throws {SchemoeError} when a column is missing or the timeline holds several runs.
 */
export function exposure(timeline: Subject): Timeline {
  const list = exposuresOf(operationsOf(timeline));
  return table({
    name: list.map(({ name }) => name),
    chunk: list.map(({ chunk }) => chunk),
    lane: list.map(({ lane }) => lane),
    exposed_ns: Float64Array.from(list, ({ mean }) => mean),
    worst_rank: Uint32Array.from(list, ({ worst }) => worst.rank),
    worst_ns: Float64Array.from(list, ({ most }) => most),
    why: list.map(({ why }) => why),
    holds_up: list.map(({ holdsUp }) => holdsUp ?? null),
  });
}

/** The same as objects. */
export function exposuresOf(operations: Operations): Exposure[] {
  const ranks = groupBy(operations.all, ({ rank }) => `${rank}`);
  const exposed = new Map<Operation, number>();
  for (const list of ranks.values()) share(list, exposed);
  const tasks = groupBy(exposed.keys(), ({ pass, name, lane }) => `${pass} ${lane} ${name}`);
  const found = [...tasks.values()].map((list) => {
    const times = list.map((operation) => exposed.get(operation)!);
    const sum = times.reduce((a, b) => a + b, 0);
    const most = times.reduce((a, b) => Math.max(a, b), 0);
    return { worst: list[times.indexOf(most)], most, mean: sum / ranks.size };
  }).toSorted((a, b) => b.mean - a.mean || b.most - a.most);
  const culprits = culpritsOf(operations);
  return found.map((exposure) => {
    const { worst: { pass, name, label, chunk, lane, rank, end } } = exposure;
    const computing = operations.lanes.get(`${rank} compute`) ?? [];
    const next = computing.find(({ start }) => start >= end - operations.tolerance);
    return {
      ...exposure,
      pass,
      name,
      label,
      chunk,
      lane,
      why: whyThen(operations, exposure.worst, culprits),
      holdsUp: next?.name,
    };
  });
}

/** The cause of an operation's waiting, in words. */
function whyThen(
  operations: Operations,
  operation: Operation,
  culprits: ReturnType<typeof culpritsOf>,
): string {
  const peer = operations.peer(operation);
  if (peer) {
    const [culprit] = culprits(operation);
    const held = culprit && culprit.rank !== peer.rank
      ? `, which rank ${culprit.rank} had held up`
      : "";
    return `waited for rank ${peer.rank}, the last to begin it${held}`;
  }
  const { why, operation: before } = operations.cause(operation);
  if (!before) return "began at once";
  if (why === "lane") return `began after ${before.name} had left the ${before.lane} lane`;
  if (why === "barrier") {
    return `began after ${before.name} on rank ${before.rank}, the last to end before it`;
  }
  return `began after ${before.name} on the ${before.lane} lane`;
}

/** Adds the exposed time of each operation of a rank. */
function share(list: readonly Operation[], exposed: Map<Operation, number>): void {
  const transfers = list.filter(({ kind }) => isCommunication(kind))
    .toSorted((a, b) => a.begun - b.begun);
  const computing = merge(
    list.filter(({ kind, lane }) => lane === "compute" && !isCommunication(kind))
      .flatMap(({ start, end }) => [start, end]),
  );
  const gaps = subtract(merge(transfers.flatMap(({ begun, end }) => [begun, end])), computing);
  let next = 0;
  let active: Operation[] = [];
  for (let i = 0; i < gaps.length; i += 2) {
    const [begin, end] = [gaps[i], gaps[i + 1]];
    while (next < transfers.length && transfers[next].begun < end) active.push(transfers[next++]);
    active = active.filter((operation) => operation.end > begin);
    let left: Intervals = [begin, end];
    for (const operation of active.toSorted((a, b) => b.end - a.end)) {
      const part = length(intersect(left, [operation.begun, operation.end]));
      if (part <= 0) continue;
      exposed.set(operation, (exposed.get(operation) ?? 0) + part);
      left = subtract(left, [operation.begun, operation.end]);
    }
  }
}
