/** Input of the search for an optimal order: numbers instead of tasks. @module */
import { interchangeable } from "../../costs/bound_groups.ts";
import { costTable, sameSeconds } from "../../costs/bound_table.ts";
import type { Costs } from "../../costs/types.ts";
import { LANES, SchemoeError, type Task, type TaskGraph, type Topology } from "../../types.ts";

/** Number of lanes. */
export const LANE_COUNT = LANES.length;

/** A graph and its costs in arrays. Element `task * ranks + rank` belongs to a task on a rank. */
export interface Problem {
  readonly graph: TaskGraph;
  readonly tasks: number;
  /** Ranks in the search; one when a single rank represents all. */
  readonly ranks: number;
  /** False where costs of tasks alone do not give the makespan of an order; see `representatives`. */
  readonly faithful: boolean;
  readonly seconds: Float64Array;
  readonly lane: Uint8Array;
  readonly before: readonly Int32Array[];
  readonly successors: readonly Int32Array[];
  /** Tasks that are run in the order given; see `interchangeable`. */
  readonly groups: readonly Int32Array[];
  readonly group: Int32Array;
  readonly place: Int32Array;
  /** For each task, the ranks that start it together with a rank; absent where each starts alone. */
  readonly peers: readonly (readonly Int32Array[] | undefined)[];
  /** Least seconds from the end of a task to the end of all. */
  readonly tail: Float64Array;
}

/** @throws {SchemoeError} naming a task whose cost or dependency cannot be used. */
export function makeProblem(graph: TaskGraph, costs: Costs): Problem {
  const late = graph.tasks.find(({ id, after }) =>
    after.some((before) => !(before >= 0 && before < id))
  );
  if (late) {
    throw new SchemoeError(
      `Cannot schedule the graph: task ${late.name} depends on one that is not before it`,
    );
  }
  const table = costTable(graph, costs, "Cannot schedule the graph");
  const { ranks, seconds, faithful } = representatives(graph, table);
  const peers = graph.tasks.map((task) => ranks > 1 ? peersOf(task, ranks) : undefined);
  const same = (a: Task, b: Task) =>
    samePeers(peers[a.id], peers[b.id]) &&
    columns(ranks).every((rank) =>
      sameSeconds(seconds[a.id * ranks + rank], seconds[b.id * ranks + rank])
    );
  const groups = interchangeable(graph, same).map((tasks) =>
    Int32Array.from(tasks, ({ id }) => id)
  );
  const group = new Int32Array(graph.tasks.length);
  const place = new Int32Array(graph.tasks.length);
  groups.forEach((ids, g) => ids.forEach((id, i) => (group[id] = g, place[id] = i)));
  const successors: number[][] = graph.tasks.map(() => []);
  for (const { id, after } of graph.tasks) for (const before of after) successors[before].push(id);
  const known = {
    graph,
    ranks,
    seconds,
    faithful,
    peers,
    groups,
    group,
    place,
    tasks: graph.tasks.length,
    lane: Uint8Array.from(graph.tasks, (task) => LANES.indexOf(task.lane)),
    before: graph.tasks.map(({ after }) => Int32Array.from(after)),
    successors: successors.map((ids) => Int32Array.from(ids)),
  };
  return { ...known, tail: tails(known) };
}

const columns = (ranks: number): number[] => Array.from({ length: ranks }, (_, rank) => rank);

/** Whether tasks that overlap slow each other down by more than a processor shared evenly, or wait for their turn. */
function contended({ contention, nic, spine, sharing, ranksPerNode }: Topology): boolean {
  const slower = contention && Math.max(contention.compute, contention.communication) > 1;
  return Boolean(slower || (nic && ranksPerNode > 1) || spine || sharing?.turns);
}

/**
 * One rank when it can represent all. Without shared processors that is a rank on which no task is
 * faster than elsewhere: by induction over the order it is never waited for and never waits. With
 * shared ones, ranks of equal costs run in step, so each computation is slowed by the fullest processor.
 */
function representatives(graph: TaskGraph, table: Float64Array) {
  const { tasks, topology: { ranks, sharing } } = graph;
  const alone = !contended(graph.topology);
  const slowest = Float64Array.from(
    tasks,
    ({ id }) => table.subarray(id * ranks, (id + 1) * ranks).reduce((a, b) => Math.max(a, b), 0),
  );
  if (!sharing) {
    const standsForAll = (rank: number) =>
      slowest.every((most, id) => sameSeconds(table[id * ranks + rank], most));
    if (columns(ranks).some(standsForAll)) return { ranks: 1, seconds: slowest, faithful: alone };
    return { ranks, seconds: table, faithful: alone };
  }
  const users = new Float64Array(sharing.capacity.length);
  for (const processor of sharing.of) users[processor]++;
  const slowdown = users.reduce((most, count, i) => Math.max(most, count / sharing.capacity[i]), 1);
  const seconds = slowest.map((value, id) =>
    tasks[id].lane === "compute" ? value * slowdown : value
  );
  const equal = tasks.every(({ id }) =>
    columns(ranks).every((rank) => sameSeconds(table[id * ranks + rank], slowest[id]))
  );
  // a processor is also shared with tasks of other lanes that are no transfers
  const apart = tasks.every(({ lane, transfers }) => lane === "compute" || transfers);
  return { ranks: 1, seconds, faithful: alone && equal && apart };
}

/** Ranks that a rank exchanges with in a phase. */
function peersOf(task: Task, ranks: number): Int32Array[] | undefined {
  if (!task.transfers) return undefined;
  return columns(ranks).map((rank) => {
    const peers = new Set(task.transfers!(rank).map(({ peer }) => peer));
    return Int32Array.from([...peers].filter((peer) => peer !== rank).sort((a, b) => a - b));
  });
}

function samePeers(
  a: readonly Int32Array[] | undefined,
  b: readonly Int32Array[] | undefined,
): boolean {
  if (!a || !b) return a === b;
  return a.every((peers, rank) =>
    peers.length === b[rank].length && peers.every((peer, i) => peer === b[rank][i])
  );
}

/** Longest chain after each task, tasks of a group following each other. */
function tails(problem: Omit<Problem, "tail">): Float64Array {
  const { tasks, ranks, seconds, successors, groups, group, place, peers } = problem;
  const tail = new Float64Array(tasks * ranks);
  for (let task = tasks - 1; task >= 0; task--) {
    const next = groups[group[task]][place[task] + 1];
    const after = next === undefined ? successors[task] : [...successors[task], next];
    for (const other of after) {
      for (let rank = 0; rank < ranks; rank++) {
        // a peer's phase begins no sooner than this rank's
        for (const peer of [rank, ...(peers[other]?.[rank] ?? [])]) {
          const least = seconds[other * ranks + peer] + tail[other * ranks + peer];
          tail[task * ranks + rank] = Math.max(tail[task * ranks + rank], least);
        }
      }
    }
  }
  return tail;
}
