/**
 * Arguments of the slices of a trace: this project's own, and Kineto's of NCCL kernels.
 * @module
 */
import {
  column,
  columnsOf,
  isCommunication,
  numbers,
  rows,
  type Subject,
} from "../table/columns.ts";
import { formatRate } from "../table/format.ts";
import { NCCL, rankList } from "./kineto.ts";
import type { TraceEvent } from "./tracks.ts";

/** Arguments of a row's slice. */
export function describer(timeline: Subject): (row: number) => TraceEvent {
  const text = (["pass", "lane", "kind", "label"] as const).map((name) =>
    [name, column(timeline, name)] as const
  );
  const times = columnsOf(timeline).filter((name) => name.endsWith("_ns"));
  const exact = (["node", ...times, "bytes", "flops"] as const)
    .map((name) => [name, numbers(timeline, name)] as const);
  const [chunk, deps, name] = (["chunk", "deps", "name"] as const).map((of) =>
    column<unknown>(timeline, of)
  );
  const groups = groupsOf(timeline);
  return (row) => {
    const args: Record<string, unknown> = { task: name.at(row) };
    for (const [of, values] of text) args[of] = values.at(row);
    if (chunk.at(row) !== null && chunk.at(row) !== undefined) args.chunk = chunk.at(row);
    for (const [of, values] of exact) args[of] = values.at(row);
    if (typeof deps.at(row) === "string") args.deps = deps.at(row);
    const { bytes, start_ns, end_ns, wait_ns } = args as Record<string, number>;
    const working = end_ns - start_ns - wait_ns;
    if (bytes > 0 && working > 0) args.rate = formatRate(bytes, working, "B");
    return isCommunication(args.kind as string)
      ? { ...args, ...ncclArguments(args, groups(row)) }
      : args;
  };
}

function ncclArguments(
  { kind, lane, bytes }: Record<string, unknown>,
  group: readonly number[],
): TraceEvent {
  const factor = (kind === "allReduce" ? 2 : 1) * (group.length - 1) / group.length;
  const elements = factor > 0 ? Math.round(bytes as number / factor) : bytes;
  return {
    [NCCL.collective]: kind === "allReduce" ? "allreduce" : "all_to_all",
    [NCCL.dtype]: "Byte",
    [NCCL.inElements]: elements,
    [NCCL.outElements]: elements,
    [NCCL.groupSize]: group.length,
    [NCCL.groupName]: lane,
    [NCCL.groupDescription]: `ranks on lane ${lane}`,
    [NCCL.groupRanks]: rankList(group),
  };
}

/** Ranks among which a row communicates: those of its node on lane `intra`, else all. */
function groupsOf(timeline: Subject): (row: number) => readonly number[] {
  const lane = column<string>(timeline, "lane");
  const node = numbers(timeline, "node");
  const world = ranksOf(timeline);
  const ranks = [...world.keys()];
  const nodes = Map.groupBy(ranks, (rank) => world.get(rank)!);
  return (row) => lane.at(row) === "intra" ? nodes.get(node.at(row))! : ranks;
}

/** Node of each rank, by rank. */
export function ranksOf(timeline: Subject): Map<number, number> {
  const [rank, node] = [numbers(timeline, "rank"), numbers(timeline, "node")];
  const found = new Map<number, number>();
  for (const row of rows(timeline)) found.set(rank.at(row), node.at(row));
  return new Map([...found].toSorted(([a], [b]) => a - b));
}
